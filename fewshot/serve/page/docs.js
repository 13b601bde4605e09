"use strict";

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

fetch("/openapi.json").then((response) => response.json()).then((api) => {
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const section = document.createElement("section");
      section.append(element("h2", `${method.toUpperCase()} ${path}`), element("p", operation.description || operation.summary));
      const schema = operation.requestBody?.content["application/json"].schema.$ref?.split("/").pop();
      if (schema) section.append(element("h3", schema), element("pre", JSON.stringify(api.components.schemas[schema].properties, null, 1)));
      document.getElementById("operations").append(section);
    }
  }
});
