(function () {
var d = document, buy = d.getElementById("buy"), busy = [], i;
function named() {
if (!buy) return;
var one = buy.querySelector("input:checked"), go = buy.querySelector("button");
if (one) go.textContent = go.getAttribute("data-pay").replace("{}", one.parentNode.querySelector("strong").textContent);
}
function sent(event) {
var go = event.target.querySelector("button");
busy.push([go, go.textContent]);
setTimeout(function () { go.disabled = true; go.textContent = event.target.getAttribute("data-wait"); }, 0);
}
for (i = 0; i < d.forms.length; i++) if (d.forms[i].getAttribute("data-wait")) d.forms[i].addEventListener("submit", sent);
if (buy) buy.addEventListener("change", named);
window.addEventListener("pageshow", function () {
while (busy.length) { var was = busy.pop(); was[0].disabled = false; was[0].textContent = was[1]; }
named();
});
named();
})();
