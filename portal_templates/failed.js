(function () {
var form = document.getElementById("again"), go = form.querySelector("button"), said = document.getElementById("locked");
var free = Date.now() + form.getAttribute("data-locked") * 1000, timer;
function draw() {
if (Date.now() < free) return;
clearInterval(timer);
go.disabled = false;
if (said) said.hidden = true;
}
form.addEventListener("submit", function () { setTimeout(function () { go.disabled = true; }, 0); });
window.addEventListener("pageshow", draw);
timer = setInterval(draw, 500);
draw();
})();
