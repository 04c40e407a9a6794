(function () {
var d = document, w = window, main = d.getElementById("wait"), began = Date.now(), asking = null, timer = 0, gone = false;
function id(name) { return d.getElementById(name); }
function data(name) { return main.getAttribute("data-" + name); }
function go(url) { if (!gone) { gone = true; w.location.replace(url); } }
function heard(now) {
if (now.state === "online") go(data("done"));
else if (now.state && now.state !== data("state")) go(data("here"));
else if (now.message && id("say").textContent !== now.message) id("say").textContent = now.message;
}
function ask() {
var old = asking, x = asking = new XMLHttpRequest();
clearTimeout(timer);
if (old) old.abort();
x.open("GET", data("status"));
x.timeout = 8000;
x.onload = function () { if (x.status === 200) try { heard(JSON.parse(x.responseText)); } catch (e) {} };
x.onloadend = function () { if (asking === x) { asking = null; later(); } };
x.send();
}
function later() { clearTimeout(timer); timer = setTimeout(ask, Date.now() - began < 30000 ? 2500 : 5000); }
function draw() {
var passed = (Date.now() - began) / 1000, left = Math.max(0, Math.ceil(data("left") - passed));
if (id("ring") && !id("ring").hidden) {
id("left").textContent = left;
id("arc").setAttribute("stroke-dasharray", Math.min(100, left) + " 100");
if (!left) { id("ring").hidden = id("steps").hidden = true; id("late").hidden = id("spin").hidden = false; }
}
if (data("locked") > 0 && passed > data("locked")) go(data("here"));
}
function back() { if (!d.hidden) { draw(); ask(); } }
d.addEventListener("visibilitychange", back);
w.addEventListener("focus", back);
w.addEventListener("pageshow", function () { gone = false; back(); });
w.addEventListener("online", back);
setInterval(draw, 500);
draw();
later();
})();
