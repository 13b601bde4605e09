"use strict";
// What users write is put into the page by textContent alone, never as markup.

const at = (id) => document.getElementById(id);
let task = null;
let asked = null;

async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const found = response.status === 204 ? {} : await response.json();
  if (!response.ok) throw new Error(found.error || `status ${response.status}`);
  return found;
}

async function guarded(button, work) {
  button.disabled = true;
  at("error").hidden = true;
  try {
    await work();
  } catch (error) {
    at("error").textContent = error.message;
    at("error").hidden = false;
  } finally {
    button.disabled = false;
  }
}

function examples() {
  return at("examples").value.split("\n").map((line) => line.trim()).filter(Boolean).map((line, number) => {
    const cut = line.search(/[|\t]/);
    const label = cut < 0 ? "" : line.slice(0, cut).trim();
    const text = cut < 0 ? "" : line.slice(cut + 1).trim();
    if (!label || !text) throw new Error(`example ${number + 1} has no class and text with a | between them: ${line}`);
    return { label, text };
  });
}

function row(...cells) {
  const line = document.createElement("tr");
  for (const cell of cells) {
    const own = document.createElement("td");
    own.append(cell); // a string becomes a text node
    line.append(own);
  }
  return line;
}

function bar(value, label) {
  const meter = document.createElement("meter");
  meter.value = value;
  meter.setAttribute("aria-label", label);
  return meter;
}

function showTask(found) {
  task = found.task;
  const classes = found.classes.length, shots = found.examples.length;
  at("learned").textContent = `${shots} examples of ${classes} classes, learned in ${found.seconds.toFixed(2)} s`
    + (found.note ? `; ${found.note}` : "");
  at("examples").value = found.examples.map((each) => `${each.label} | ${each.text}`).join("\n");
  at("classes").replaceChildren(...found.classes.map((name) => new Option(name)));
  at("known").replaceChildren(...found.examples.map((each, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = "×";
    button.setAttribute("aria-label", `remove: ${each.text}`);
    button.addEventListener("click", () => guarded(button, async () => {
      await learn(found.examples.filter((_, other) => other !== number));
    }));
    return row(each.label, each.text, button);
  }));
}

async function learn(given) {
  try {
    showTask(await call("POST", "/api/learn", { examples: given, task }));
  } catch (error) {
    if (!error.message.includes("no such task")) throw error;
    task = null; // it was forgotten: another one takes its place
    showTask(await call("POST", "/api/learn", { examples: given, task }));
  }
  if (asked !== null) await ask(asked);
}

async function ask(text) {
  if (task === null) throw new Error("learn some examples first");
  const [found] = await call("POST", "/api/predict", { task, texts: [text] });
  asked = text;
  at("label").textContent = found.label;
  at("cut").hidden = !found.truncated;
  const scores = Object.entries(found.scores).sort((one, two) => two[1] - one[1]);
  at("scores").replaceChildren(...scores.map(([name, value]) => row(name, value.toFixed(3), bar(value, name))));
  at("near").hidden = !found.nearest;
  at("nearest").replaceChildren(
    ...(found.nearest || []).map((each) => row(each.text, each.label, each.distance.toFixed(3))),
  );
  at("answer").hidden = false;
}

at("learn").addEventListener("click", () => guarded(at("learn"), () => learn(examples())));
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(event.submitter, () => ask(at("text").value));
});
at("correct").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(event.submitter, async () => {
    showTask(await call("POST", "/api/correct", { task, text: asked, label: at("right").value.trim() }));
    at("right").value = "";
    await ask(asked);
  });
});
call("GET", "/api/about").then((found) => {
  at("about").textContent = `A classifier from a few labelled examples. Run: ${found.run}; fewshot ${found.version}; ${found.ran}`;
});
