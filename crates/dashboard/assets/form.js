// What the form of a webhook does beyond HTML: searching and ticking many events, adding rows for headers, telling a field that what is in it is wrong.
"use strict";
(() => {
  const types = (within) => [...within.querySelectorAll("[data-type]")];
  const shown = (box) => !box.closest(".type").hidden;

  // A box that stands for several is ticked when all of them are, and neither when some are.
  const reflect = (box, boxes) => {
    const ticked = boxes.filter((one) => one.checked).length;
    box.checked = boxes.length > 0 && ticked === boxes.length;
    box.indeterminate = ticked > 0 && ticked < boxes.length;
    box.disabled = boxes.length === 0;
  };

  const refresh = () => {
    const picker = document.getElementById("events");
    if (!picker) return;
    for (const group of picker.querySelectorAll(".group")) {
      const box = group.querySelector("[data-group]");
      if (box) reflect(box, types(group).filter(shown));
    }
    const all = picker.querySelector("[data-all]");
    if (all) reflect(all, types(picker).filter(shown));
    const count = document.getElementById("events-count");
    if (!count) return;
    const chosen = picker.querySelectorAll("[data-type]:checked, .kind:checked").length;
    const text = `${count.dataset.text} ${chosen.toLocaleString(document.documentElement.lang)}`;
    if (count.textContent !== text) count.textContent = text;
  };

  const search = (field) => {
    const words = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const group of document.querySelectorAll("#events .group")) {
      const title = group.querySelector("legend").textContent;
      let inside = 0;
      for (const type of group.querySelectorAll(".type")) {
        const text = `${title} ${type.querySelector("label").textContent}`.toLocaleLowerCase();
        type.hidden = !words.every((word) => text.includes(word));
        if (!type.hidden) inside += 1;
      }
      group.hidden = inside === 0;
      found += inside;
    }
    refresh();
    if (found === 0) document.getElementById("events-count").textContent = field.dataset.none;
  };

  const addRow = (rows) => {
    const all = rows.querySelectorAll("[data-row]");
    const row = all[all.length - 1].cloneNode(true);
    const number = all.length;
    for (const field of row.querySelectorAll("input")) {
      field.value = "";
      field.name = field.name.replace(/\d+$/, number);
      field.id = field.id.replace(/\d+$/, number);
    }
    for (const label of row.querySelectorAll("label")) {
      label.htmlFor = label.htmlFor.replace(/\d+$/, number);
      label.querySelector("span").textContent = number + 1;
    }
    rows.append(row);
    row.querySelector("input").focus();
    document.getElementById("header-add").disabled = number + 1 >= Number(rows.dataset.max);
  };

  const listen = () => {
    document.addEventListener("change", (event) => {
      const box = event.target;
      const picker = box.closest?.("#events");
      if (!picker) return;
      const many = box.matches("[data-all]") ? picker : box.matches("[data-group]") ? box.closest(".group") : null;
      if (many) for (const one of types(many).filter(shown)) one.checked = box.checked;
      refresh();
    });
    document.addEventListener("input", (event) => {
      if (event.target.id === "events-search") search(event.target);
      // What was tried was another condition, or on other events.
      else if (event.target.closest?.("#filter, #events")) document.getElementById("filter-preview")?.replaceChildren();
    });
    document.addEventListener("keydown", (event) => {
      // Enter in the search looks for events and does not send the form.
      if (event.target.id === "events-search" && event.key === "Enter") event.preventDefault();
    });
    document.addEventListener("click", (event) => {
      if (event.target.id === "header-add") addRow(document.getElementById("header-rows"));
    });
    document.addEventListener("htmx:afterSwap", (event) => {
      const verdict = event.detail.target;
      const field = verdict?.dataset?.of && document.getElementById(verdict.dataset.of);
      if (!field) return;
      if (verdict.querySelector(".mistake")) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    });
    window.addEventListener("postrider:screen", begin);
  };

  // What is wrong is read first.
  const begin = () => {
    refresh();
    document.getElementById("mistakes")?.focus();
  };

  // In a frame the script comes with each page of the form; it listens once.
  if (!window.postriderForm) {
    window.postriderForm = true;
    listen();
  }
  begin();
})();
