"use strict";
// What users write is put into the page by textContent alone, never as markup.

const at = (id) => document.getElementById(id);
let task = null;
let known = []; // the examples of the task
let asked = null;
let before = Promise.resolve(); // one thing after another, so that no click acts on what is out of date

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("there is no answer: does `fewshot serve` still run, and was less than a megabyte sent?");
  }
  const found = await response.json();
  if (!response.ok) throw Object.assign(new Error(found.error), { status: response.status });
  return found;
}

function inTurn(work) {
  before = before.then(async () => {
    document.body.classList.add("busy");
    at("error").hidden = true;
    try {
      await work();
    } catch (error) {
      at("error").textContent = error.message;
      at("error").hidden = false;
      at("error").scrollIntoView({ block: "nearest" });
    } finally {
      document.body.classList.remove("busy");
    }
  });
}

function examples() {
  return at("examples").value.split("\n").map((line) => line.trim()).filter(Boolean).map((line, number) => {
    const bar = line.search(/[|\t]/);
    const cut = bar < 0 ? line.indexOf(",") : bar;
    const label = cut < 0 ? "" : line.slice(0, cut).trim();
    const text = cut < 0 ? "" : line.slice(cut + 1).trim();
    if (!label || !text) throw new Error(`example ${number + 1} has no class and text with a | between them: ${line.slice(0, 200)}`);
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
  known = found.examples;
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
    button.addEventListener("click", () => inTurn(() => remove(each, number)));
    return row(each.label, each.text, button);
  }));
}

async function learn(given) {
  const said = at("learned").textContent;
  at("learned").textContent = "learning …";
  try {
    showTask(await learned(given));
  } catch (error) {
    at("learned").textContent = said;
    throw error;
  }
  if (asked !== null) await ask(asked);
}

async function learned(given) {
  try {
    return await call("POST", "/api/learn", { examples: given, task });
  } catch (error) {
    if (error.status !== 404) throw error;
    task = null; // it was forgotten: another one takes its place
    return call("POST", "/api/learn", { examples: given, task });
  }
}

async function remove(example, number) {
  const place = known.findIndex((each) => each.text === example.text && each.label === example.label);
  if (place < 0) return; // a second click on it
  await learn(known.filter((_, other) => other !== place));
  const buttons = at("known").querySelectorAll("button"); // the one that had the focus is gone
  buttons[Math.min(number, buttons.length - 1)].focus();
}

async function correct(label) {
  // examples are written with it into the field above, and read back from there
  if (!label) throw new Error("name the class that it should be");
  if (/[|\t]/.test(label)) throw new Error("the name of a class has no | and no tab: they end it");
  showTask(await call("POST", "/api/correct", { task, text: asked, label }));
  at("right").value = "";
  await ask(asked);
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

at("learn").addEventListener("click", () => inTurn(() => learn(examples())));
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value;
  inTurn(() => ask(text));
});
at("correct").addEventListener("submit", (event) => {
  event.preventDefault();
  const label = at("right").value.trim();
  inTurn(() => correct(label));
});
inTurn(async () => {
  const found = await call("GET", "/api/about");
  const run = found.backbone ? `${found.run} (${found.backbone})` : found.run;
  at("about").textContent = `A classifier from a few labelled examples. Run: ${run}; fewshot ${found.version}; ${found.ran}`;
});
