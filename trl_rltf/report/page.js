"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const data = JSON.parse(element("data").textContent);
  const completions = data.completions.map((row) => Object.fromEntries(data.fields.map((name, i) => [name, row[i]])));
  const problems = data.problems.map(([name, difficulty, prompt, leftOut]) => ({ name, difficulty, prompt, leftOut }));
  const PART = 100; // completions in the list at a time
  const ORDER = ["PASS", "FAILURE", "RUNTIME_ERROR", "SYNTAX_ERROR", "NOT_GRADABLE"];
  let largest = 0; // credit of the run, for the shades
  for (const completion of completions)
    for (let i = 2; i < completion.credits.length; i += 3) largest = Math.max(largest, Math.abs(completion.credits[i]));
  let shown = []; // indices of the completions that pass the filters, in order
  let place = 0; // of the selected one among them

  // ------------------------------------------------------------------ text

  // Characters that are invisible, move others, or are half of one: shown by their number.
  const UNSEEN = new RegExp(
    "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f" +
      "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb]" +
      "|\\udb40[\\udc00-\\udfff]|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]",
    "g",
  );
  function make(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) write(made, text);
    return made;
  }
  function write(parent, text) {
    let last = 0;
    for (const match of text.matchAll(UNSEEN)) {
      parent.append(text.slice(last, match.index));
      const sign = document.createElement("span");
      sign.className = "sign";
      sign.textContent = named(match[0]);
      parent.append(sign);
      last = match.index + match[0].length;
    }
    parent.append(text.slice(last));
  }
  const named = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  const plain = (text) => text.replace(UNSEEN, named);
  const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value)}`;
  const number = (value) => (value === null ? "–" : String(value).replace("-", "−"));
  const count = (value) => value.toLocaleString("en");

  // ------------------------------------------------------------------ filters

  const inputs = { outcome: element("outcome"), step: element("step"), problem: element("problem") };
  function fill(select, values, label) {
    const numbers = new Map();
    for (const value of values) numbers.set(value, (numbers.get(value) || 0) + 1);
    select.append(new Option(`all (${count(values.length)})`, ""));
    return (order) => {
      for (const value of [...numbers.keys()].sort(order))
        select.append(new Option(`${plain(label(value))} (${count(numbers.get(value))})`, String(value)));
      select.disabled = numbers.size < 2;
    };
  }
  const rank = (outcome) => (ORDER.includes(outcome) ? ORDER.indexOf(outcome) : ORDER.length);
  fill(inputs.outcome, completions.map((c) => c.outcome), (v) => v || "none")((a, b) => rank(a) - rank(b));
  fill(inputs.step, completions.map((c) => c.step), (v) => (v === null ? "none" : String(v)))((a, b) => a - b);
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  fill(inputs.problem, completions.map((c) => c.problem), (v) => problems[v].name)((a, b) =>
    compare(problems[a].name, problems[b].name),
  );
  // Without a reward, the share of the tests passed.
  const merit = (c) => (c.reward !== null ? c.reward : c.tests ? c.passed / c.tests : -Infinity);

  let waiting;
  function filter() {
    clearTimeout(waiting); // a text that was typed just before
    const text = element("text").value;
    const kept = [];
    const is = (input, value) => input.value === "" || input.value === String(value);
    completions.forEach((c, index) => {
      if (is(inputs.outcome, c.outcome) && is(inputs.step, c.step) && is(inputs.problem, c.problem) && (!text || c.text.includes(text)))
        kept.push(index);
    });
    const order = element("order").value;
    const sign = order === "highest" ? -1 : 1;
    const difference = (a, b) => (a === b ? 0 : a < b ? -1 : 1); // also of infinite numbers
    if (order !== "logged") kept.sort((a, b) => sign * difference(merit(completions[a]), merit(completions[b])) || a - b);
    shown = kept;
    place = 0;
    show();
  }

  // ------------------------------------------------------------------ list

  function title(c) {
    return problems[c.problem].name;
  }
  function list() {
    const part = Math.floor(place / PART);
    const first = part * PART;
    const indices = shown.slice(first, first + PART);
    const items = indices.map((index, i) => {
      const c = completions[index];
      const item = make("li");
      item.id = `option-${first + i}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(first + i === place));
      const mark = make("span", "mark");
      mark.dataset.outcome = c.outcome;
      item.append(mark, make("span", "what", title(c)), make("span", "reward", c.reward === null ? "" : number(c.reward)));
      const more = [c.outcome.toLowerCase().replace("_", " ")];
      if (c.tests) more.push(`${c.passed}/${c.tests} tests`);
      if (c.step !== null) more.push(`step ${c.step}`);
      item.append(make("span", "more", more.filter(Boolean).join(" · ")));
      item.addEventListener("click", () => select(first + i));
      return item;
    });
    element("list").replaceChildren(...items);
    const last = first + indices.length;
    element("range").textContent = shown.length ? `${count(first + 1)}–${count(last)} of ${count(shown.length)}` : "none";
    element("earlier").disabled = part === 0;
    element("later").disabled = last >= shown.length;
    element("list").setAttribute("aria-activedescendant", indices.length ? `option-${place}` : "");
  }
  function select(position) {
    const next = Math.min(Math.max(position, 0), shown.length - 1);
    if (next !== place && next >= 0) {
      place = next;
      show();
    }
  }
  function keepInSight() {
    const item = element(`option-${place}`);
    const box = element("list");
    if (!item) return;
    const top = item.offsetTop - box.offsetTop;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + item.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + item.offsetHeight - box.clientHeight;
  }

  // ------------------------------------------------------------------ one completion

  function show() {
    list();
    keepInSight();
    element("completion").hidden = shown.length === 0;
    if (!shown.length) {
      element("status").textContent = "No completion passes the filters.";
      return;
    }
    const c = completions[shown[place]];
    const problem = problems[c.problem];
    element("name").replaceChildren();
    write(element("name"), title(c));
    element("position").textContent = `${count(place + 1)} of ${count(shown.length)}`;
    element("previous").disabled = place === 0;
    element("next").disabled = place === shown.length - 1;
    const facts = [["outcome", c.outcome], ["reward", c.reward === null ? "" : number(c.reward)], ["mean advantage", c.advantage === null ? "" : number(c.advantage)]];
    facts.push(["tests passed", c.tests === null ? "" : `${c.passed} of ${c.tests}`], ["step", c.step === null ? "" : String(c.step)]);
    facts.push(["difficulty", problem.difficulty]);
    element("facts").replaceChildren(
      ...facts.filter(([, value]) => value).map(([name, value]) => {
        const pair = make("div");
        pair.append(make("dt", "", name), make("dd", "", value));
        return pair;
      }),
    );
    element("prompt").hidden = !problem.prompt;
    element("prompt-text").replaceChildren();
    write(element("prompt-text"), problem.prompt + leftOut(problem.leftOut));
    const byLine = program(c);
    tests(c);
    credits(byLine);
    const told = [plain(title(c)), c.outcome, c.reward === null ? "" : `reward ${number(c.reward)}`];
    element("status").textContent = `${place + 1} of ${shown.length}: ${told.filter(Boolean).join(", ")}`;
  }
  const leftOut = (number) => (number ? `\n[${count(number)} more characters are not shown]` : "");

  function program(c) {
    const lines = [];
    const byLine = new Map(); // line: [credits, marked text]
    const kinds = [...c.kinds.matchAll(/([a-z-])(\d+)/g)].map((match) => [match[1], Number(match[2])]);
    let kind = 0;
    let kindEnd = kinds.length ? kinds[0][1] : 0;
    let credit = 0;
    let begin = 0;
    for (const [index, match] of [...c.text.matchAll(/([^\r\n]*)(\r\n|\r|\n|$)/g)].entries()) {
      if (index && begin >= c.text.length && !match[0]) break;
      const line = make("span", "codeline");
      const name = index >= c.firstLine && index < c.firstLine + c.numLines ? index - c.firstLine + 1 : null;
      line.dataset.number = name === null ? "" : String(name);
      const content = make("span");
      if (index === c.shownErrorLine) {
        line.classList.add("failing");
        content.append(make("span", "hidden", "The error is in this line: "));
      }
      let at = begin;
      const end = begin + match[1].length;
      while (at < end) {
        while (at >= kindEnd && kind + 1 < kinds.length) kindEnd += kinds[++kind][1];
        while (credit < c.credits.length && at >= c.credits[credit + 1]) credit += 3;
        const isMarked = credit < c.credits.length && at >= c.credits[credit];
        let stop = kindEnd > at ? Math.min(end, kindEnd) : end;
        if (credit < c.credits.length) stop = Math.min(stop, isMarked ? c.credits[credit + 1] : c.credits[credit]);
        const piece = make("span", kinds[kind] && kinds[kind][0] !== "-" ? kinds[kind][0] : "", c.text.slice(at, stop));
        if (isMarked) {
          const value = c.credits[credit + 2];
          piece.classList.add(value < 0 ? "worse" : "better", `h${Math.max(1, Math.ceil((4 * Math.abs(value)) / largest))}`);
          piece.title = `credit ${signed(value)}`;
          const entry = byLine.get(index) || [name, new Set(), ""];
          entry[1].add(value);
          entry[2] += c.text.slice(at, stop);
          byLine.set(index, entry);
        }
        content.append(piece);
        at = stop;
      }
      content.append("\n");
      line.append(content);
      lines.push(line);
      begin += match[0].length;
    }
    if (c.leftOut) lines.push(make("span", "codeline x", leftOut(c.leftOut).trim()));
    element("program").replaceChildren(...lines);
    const legend = element("legend");
    legend.replaceChildren();
    if (byLine.size) {
      legend.append("Token credits: ", make("span", "worse h3", "lower"), " ", make("span", "better h3", "higher"));
      legend.append(` than the reward of the completion; the largest of the run is ±${largest}.`);
    }
    return [...byLine.values()];
  }

  function tests(c) {
    const box = element("tests");
    box.replaceChildren();
    if (c.tests !== null) box.append(make("h4", "", `Tests: ${c.passed} of ${c.tests} passed`));
    const told = [];
    if (c.errorType) {
      const line = c.errorLine === null ? "" : ` in line ${c.errorLine} of the program`;
      told.push(["error", `${c.errorType}${line}${c.errorMessage ? `: ${c.errorMessage}` : ""}`]);
    }
    if (c.trailingError) told.push(["after the program", `${c.trailingError} in code that the tests do not use`]);
    if (told.length) box.append(described(told));
    if (c.failure) {
      const parts = ["input", "expected", "got"].filter((name) => name in c.failure);
      box.append(make("p", "note", "The first test that the program did not pass:"));
      box.append(described(parts.map((name) => [name, c.failure[name]])));
    }
  }
  function described(pairs) {
    const description = make("dl", "test");
    for (const [name, value] of pairs) {
      const cell = make("dd");
      const text = make("pre", "", value);
      text.dir = "ltr";
      cell.append(text);
      description.append(make("dt", "", name), cell);
    }
    return description;
  }

  function credits(lines) {
    element("credits").hidden = lines.length === 0;
    element("credits").querySelector("tbody").replaceChildren(
      ...lines.map(([name, values, text]) => {
        const row = make("tr");
        const range = values.size > 3 ? [Math.min(...values), Math.max(...values)].map(signed).join(" to ") : [...values].map(signed).join(", ");
        row.append(make("td", "", name === null ? "–" : String(name)), make("td", "", range), make("td", "", text.trim()));
        return row;
      }),
    );
  }

  // ------------------------------------------------------------------ mouse and keyboard

  for (const id of ["outcome", "step", "problem", "order"]) element(id).addEventListener("change", filter);
  element("text").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 150);
  });
  element("filters").addEventListener("submit", (event) => event.preventDefault());
  element("previous").addEventListener("click", () => select(place - 1));
  element("next").addEventListener("click", () => select(place + 1));
  element("earlier").addEventListener("click", () => select((Math.floor(place / PART) - 1) * PART));
  element("later").addEventListener("click", () => select((Math.floor(place / PART) + 1) * PART));
  element("list").addEventListener("keydown", (event) => {
    const moves = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: shown.length - 1, PageDown: place + 10, PageUp: place - 10 };
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in moves)) return;
    event.preventDefault();
    select(moves[event.key]);
  });
  document.addEventListener("keydown", (event) => {
    const isField = event.target.closest("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape" && isField) isField.blur();
    if (isField || !element("shortcuts").checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j" || event.key === "ArrowRight") select(place + 1);
    else if (event.key === "k" || event.key === "ArrowLeft") select(place - 1);
    else if (event.key === "r") {
      element("filters").reset();
      filter();
    } else if (event.key === "/") {
      event.preventDefault();
      element("text").focus();
    }
  });
  filter();
})();
