// Takes a link's token out of the address bar before anything else, and exchanges it for a session.
"use strict";
(() => {
  const token = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  const framed = window.top !== window.self;
  const refused = () => {
    document.getElementById("entrance-wait").hidden = true;
    document.getElementById("entrance-refused").hidden = false;
  };
  if (!token) return refused();
  const body = new URLSearchParams({ token, held: framed ? "memory" : "cookie" });
  fetch("/session", { method: "POST", body })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then((begun) => (framed ? window.postrider.begin(begun) : location.replace(begun.next)))
    .catch(refused);
})();
