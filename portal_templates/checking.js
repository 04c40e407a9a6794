(function () {
var d = document, w = window, form = d.getElementById("check"), asking = null, timer = 0, gone = false;
function filled() {
var said = [], i, one;
for (i = 0; i < form.elements.length; i++) {
one = form.elements[i];
if (one.name) said.push(encodeURIComponent(one.name) + "=" + encodeURIComponent(one.value));
}
return said.join("&");
}
function send() { if (!gone) { gone = true; form.submit(); } }
function heard(x) {
var from = x.responseURL;
if (x.status >= 500) return;
if (x.status === 200 && from && from !== form.action) { gone = true; w.location.replace(from); }
else if (x.status !== 200 || !from) send();
}
function ask() {
var old = asking, x = asking = new XMLHttpRequest();
clearTimeout(timer);
if (gone) return;
if (old) old.abort();
x.open("POST", form.action);
x.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
x.timeout = 8000;
x.onload = function () { heard(x); };
x.onloadend = function () { if (asking === x) { asking = null; later(); } };
x.send(filled());
}
function later() { clearTimeout(timer); timer = setTimeout(ask, 4000); }
function back() { if (!d.hidden) ask(); }
d.addEventListener("visibilitychange", back);
w.addEventListener("pageshow", function (event) { gone = false; if (event.persisted) back(); });
w.addEventListener("online", back);
later();
})();
