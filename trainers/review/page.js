"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const rows = data.rows;
  const byId = new Map(rows.map((row, index) => [row.id, index]));
  const columns = ["page", "id", "sample", "of", data.by ? `by:${data.by}` : "by", "verdict", "note", "reviewer", "reviewed_at"];
  let reviewer = "";
  let answers = {};
  let place = 0;
  let kept = true;
  let unsaved = false;

  // The state of each reviewer of this page is a record of its own: two who share a browser do not see each other's.
  const place_of = (name) => `triptych-review/${data.page}/${name}`;

  function stored(key) {
    try { return localStorage.getItem(key); } catch { kept = false; return null; }
  }

  function keep() {
    unsaved = true;
    try {
      localStorage.setItem(place_of(reviewer), JSON.stringify(answers));
      localStorage.setItem(`triptych-review/${data.page}`, reviewer);
      kept = true;
    } catch { kept = false; }
    if (!kept) say("This browser keeps nothing: save the CSV before you close the page.");
  }

  function say(text) { at("said").textContent = text; }

  function be(name) {
    reviewer = name.trim();
    at("reviewer").value = name;
    answers = {};
    if (reviewer) {
      try { answers = JSON.parse(stored(place_of(reviewer)) || "{}"); } catch { answers = {}; }
      try { localStorage.setItem(`triptych-review/${data.page}`, reviewer); } catch { kept = false; }
    }
    const done = Object.keys(answers).length;
    say(!reviewer ? "Enter your name to begin." : !kept ? "This browser keeps nothing: save the CSV before you close the page."
      : done ? `${done} verdicts or notes of ${reviewer} are in this browser.` : "");
    show(place);
  }

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function player(medium) {
    const source = at(`m-${medium.name}`).textContent;
    const made = document.createElement(medium.kind === "image" ? "img" : medium.kind);
    if (medium.kind === "image") { made.alt = medium.label; made.className = "medium"; }
    else { made.controls = true; made.preload = "auto"; made.setAttribute("aria-label", `${medium.kind} ${medium.label}`); }
    made.addEventListener("error", () => {
      made.replaceWith(element("p", `This browser cannot play ${medium.label} (${medium.path}).`, "problem"));
    });
    made.src = source;
    return made;
  }

  function show(index) {
    place = Math.max(0, Math.min(rows.length - 1, index));
    const row = rows[place];
    at("place").textContent = `Row ${place + 1} of ${rows.length}`;
    at("identity").textContent = row.shown;
    at("stratum").textContent = data.by ? `${data.by}: ${row.by || "(none)"}` : "";
    at("players").replaceChildren(...row.media.map(player));
    const texts = [];
    for (const [name, title] of [["question", "Question"], ["reference", "Reference"], ["chain", "Reasoning"], ["answer", "Answer"]]) {
      if (row[name] === undefined) continue;
      texts.push(element("h3", title));
      const text = element("div", row[name] || "(empty)", `text ${name}`);
      text.dir = "auto";
      text.tabIndex = 0;
      text.setAttribute("role", "group");
      text.setAttribute("aria-label", title);
      texts.push(text);
      if (name === "question" && row.choices) {
        const list = element("ol", undefined, "choices");
        list.append(...row.choices.map((choice) => { const item = element("li", choice); item.dir = "auto"; return item; }));
        texts.push(list);
      }
    }
    at("texts").replaceChildren(...texts);
    at("goto").value = String(place);
    at("previous").disabled = place === 0;
    at("next").disabled = place === rows.length - 1;
    mark();
  }

  function mark() {
    const answer = answers[rows[place].id] || {};
    for (const button of document.querySelectorAll("[data-verdict]")) {
      button.setAttribute("aria-pressed", String(answer.verdict === button.dataset.verdict));
      button.disabled = !reviewer;
    }
    at("clear").disabled = at("save").disabled = at("note").disabled = !reviewer;
    if (at("note").value !== (answer.note || "")) at("note").value = answer.note || "";
    const counts = { right: 0, partly: 0, wrong: 0 };
    let done = 0;
    rows.forEach((row, index) => {
      const verdict = (answers[row.id] || {}).verdict;
      if (verdict) { counts[verdict] += 1; done += 1; }
      at("goto").options[index].textContent = `${index + 1}${verdict ? ` ${verdict}` : ""}`;
    });
    at("done").value = done;
    at("counts").textContent = `${done} of ${rows.length}: ${counts.right} right, ${counts.partly} partly, ${counts.wrong} wrong`;
  }

  function set(fields) {
    if (!reviewer) { say("Enter your name first."); at("reviewer").focus(); return false; }
    const id = rows[place].id;
    const answer = { ...answers[id], ...fields, at: new Date().toISOString() };
    if (answer.verdict || answer.note) answers[id] = answer; else delete answers[id];
    keep();
    mark();
    return true;
  }

  function judge(verdict) {
    if (!set({ verdict })) return;
    if (at("advance").checked && place < rows.length - 1) go(place + 1); else at("place").focus();
  }

  function go(index) { show(index); at("place").focus(); }

  function open() {
    for (let step = 1; step <= rows.length; step += 1) {
      const index = (place + step) % rows.length;
      if (!(answers[rows[index].id] || {}).verdict) { go(index); return; }
    }
    say("Every row has a verdict: save the CSV.");
  }

  // A spreadsheet takes a cell that begins so for a formula; a quote in front is removed when the file is read.
  const guarded = (text) => (/^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text);
  const unguarded = (text) => (/^'+[=+\-@\t\r]/.test(text) ? text.slice(1) : text);
  const cell = (value) => `"${guarded(value).replaceAll('"', '""')}"`;

  function csv() {
    const lines = [columns, ...rows.map((row) => {
      const answer = answers[row.id] || {};
      return [data.page, row.id, row.sample, row.of, row.by, answer.verdict || "", answer.note || "", reviewer, answer.at || ""];
    })];
    // With a byte order mark a spreadsheet reads it as UTF-8.
    return "\ufeff" + lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
  }

  function save() {
    if (!reviewer) { say("Enter your name first."); at("reviewer").focus(); return; }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = `review-${data.page}-${reviewer.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    unsaved = false;
    say(`Saved as ${link.download}.`);
  }

  function parse(text) {
    text = text.replace(/^\ufeff/, "");
    const head = text.split("\n", 1)[0];
    const separator = [",", ";", "\t"].find((each) => head.includes(`page${each}`) || head.includes(`page"${each}`)) || ",";
    const lines = [];
    let line = [], value = "", quoted = false;
    for (let index = 0; index < text.length; index += 1) {
      const c = text[index];
      if (quoted) {
        if (c !== '"') value += c;
        else if (text[index + 1] === '"') { value += c; index += 1; }
        else quoted = false;
      } else if (c === '"') quoted = true;
      else if (c === separator) { line.push(value); value = ""; }
      else if (c === "\n") { line.push(value.replace(/\r$/, "")); lines.push(line); line = []; value = ""; }
      else value += c;
    }
    if (value || line.length) { line.push(value.replace(/\r$/, "")); lines.push(line); }
    const [names, ...body] = lines.filter((each) => each.some((part) => part !== ""));
    return body.map((each) => Object.fromEntries((names || []).map((name, index) => [name, unguarded(each[index] || "")])));
  }

  async function load(file) {
    const read = parse(await file.text());
    const names = [...new Set(read.map((row) => row.reviewer))];
    if (!read.length || read.some((row) => row.page !== data.page || !byId.has(row.id))) {
      say(`${file.name} is not a review of this page.`);
      return;
    }
    if (names.length !== 1 || !names[0]) { say(`${file.name}: expected the rows of one reviewer.`); return; }
    if (read.some((row) => row.verdict && !data.verdicts.includes(row.verdict))) {
      say(`${file.name}: a verdict is none of ${data.verdicts.join(", ")}.`);
      return;
    }
    if (names[0] !== reviewer) be(names[0]);
    let taken = 0;
    for (const row of read) {
      const own = answers[row.id];
      if ((row.verdict || row.note) && (!own || own.at <= row.reviewed_at)) {
        answers[row.id] = { verdict: row.verdict || undefined, note: row.note || undefined, at: row.reviewed_at };
        taken += 1;
      }
    }
    keep();
    show(place);
    say(`${taken} rows of ${names[0]} loaded from ${file.name}; what is newer in this browser stays.`);
  }

  rows.forEach((_, index) => { const option = element("option"); option.value = String(index); at("goto").append(option); });
  for (const button of document.querySelectorAll("[data-verdict]")) button.addEventListener("click", () => judge(button.dataset.verdict));
  at("clear").addEventListener("click", () => { set({ verdict: undefined }); });
  at("note").addEventListener("input", () => set({ note: at("note").value || undefined }));
  at("reviewer").addEventListener("change", () => be(at("reviewer").value));
  at("save").addEventListener("click", save);
  at("load").addEventListener("change", () => { const [file] = at("load").files; if (file) load(file); at("load").value = ""; });
  at("goto").addEventListener("change", () => go(Number(at("goto").value)));
  at("previous").addEventListener("click", () => go(place - 1));
  at("next").addEventListener("click", () => go(place + 1));
  at("open").addEventListener("click", open);

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape" && typing) { event.target.blur(); at("place").focus(); return; }
    if (typing || event.ctrlKey || event.altKey || event.metaKey) return;
    const sound = document.querySelector("#players audio, #players video");
    const does = {
      1: () => judge("right"), 2: () => judge("partly"), 3: () => judge("wrong"),
      n: () => place < rows.length - 1 && go(place + 1), p: () => place > 0 && go(place - 1), u: open,
      m: () => at("note").focus(), r: () => { if (sound) { sound.currentTime = 0; sound.play(); } },
    };
    // Space works a button or a player that has the focus, as everywhere.
    if (event.key === " " && !event.target.matches("button, audio, video, input, summary")) {
      event.preventDefault();
      if (sound) { if (sound.paused) sound.play(); else sound.pause(); }
    } else if (does[event.key]) {
      event.preventDefault();
      does[event.key]();
    }
  });

  window.addEventListener("beforeunload", (event) => { if (unsaved && !kept) event.preventDefault(); });
  be(stored(`triptych-review/${data.page}`) || "");
})();
