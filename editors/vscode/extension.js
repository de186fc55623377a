// Starts `automl-run lsp` and connects it to .automl programs and JSON files. The server decides which JSON files are its own.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const command = workspace.getConfiguration("automl").get("command");
  const documentSelector = [{ language: "automl" }, { scheme: "file", language: "json" }];
  client = new LanguageClient("automl", "automl-run", { command, args: ["lsp"] }, { documentSelector });
  return client.start();
};

exports.deactivate = () => client?.stop();
