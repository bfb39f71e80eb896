"use strict";

/**
 * Writes the types of the clients. What belongs here: everything that ends up in a `.d.ts` file.
 *
 * @typedef {import("./methods.cjs").DescMethod} DescMethod
 * @typedef {import("./methods.cjs").DescService} DescService
 * @typedef {import("./methods.cjs").Schema} Schema
 * @typedef {import("./methods.cjs").GeneratedFile} GeneratedFile
 * @typedef {import("./methods.cjs").Client} Client
 */

const { callableMethods, clientsOf, generateFiles, methodName, printLeftOut } = require("./methods.cjs");

const CONSTRUCTOR_COMMENT = `@param hostname Origin of the server, such as "https://api.example.com". "" is the page's own origin.
@param credentials Not used. It is here because the official signature has it; see \`options.withCredentials\`.
@param options Options of the runtime. \`format\` is "text" unless given: the runtime delivers the messages of a stream
  as they arrive only in text mode, in binary mode all of them come at the end.`;

/**
 * Writes a `.d.ts` file for each .proto file that has services.
 *
 * @param {Schema} schema
 */
function generateDeclarations(schema) {
  generateFiles(schema, ".d.ts", (f, file) => {
    for (const service of file.services) {
      clientsOf(service).forEach((client) => printClient(f, service, client));
    }
  });
}

/**
 * @param {GeneratedFile} f
 * @param {DescService} service
 * @param {Client} client
 */
function printClient(f, service, client) {
  const options = f.import("GrpcWebClientBaseOptions", "grpc-web", true);
  f.print(f.jsDoc(service));
  f.print(f.export("declare class", client.name), " {");
  f.print(f.jsDoc(CONSTRUCTOR_COMMENT, "  "));
  f.print("  constructor(");
  f.print("    hostname: string,");
  f.print("    credentials?: null | { [name: string]: string },");
  f.print("    options?: null | (", options, ' & { format?: "text" | "binary" }),');
  f.print("  );");
  for (const method of callableMethods(service)) {
    f.print();
    printMethod(f, method, client);
  }
  printLeftOut(f, service);
  f.print("}");
  f.print();
}

/**
 * A callback gets either an error or a response, as a tuple, so that checking the one tells the type of the other.
 *
 * @param {GeneratedFile} f
 * @param {DescMethod} method
 * @param {Client} client
 */
function printMethod(f, method, client) {
  const init = f.import("MessageInitShape", "@bufbuild/protobuf", true);
  const metadata = f.import("Metadata", "grpc-web", true);
  const response = f.importShape(method.output);
  const stream = [f.import("ClientReadableStream", "grpc-web", true), "<", response, ">"];
  const promised = client.promises && method.methodKind === "unary";
  const called = !client.promises && method.methodKind === "unary";
  f.print(f.jsDoc(method, "  "));
  f.print("  ", methodName(method), "(");
  f.print("    request: ", init, "<typeof ", f.importSchema(method.input, true), ">,");
  if (called) {
    const error = f.import("RpcError", "grpc-web", true);
    f.print("    metadata: ", metadata, " | null | undefined,");
    f.print(
      "    callback: (...result: [error: ",
      error,
      ", response: null] | [error: null, response: ",
      response,
      "]) => void,",
    );
  } else {
    f.print("    metadata?: ", metadata, " | null,");
    f.print("    options?: ", f.import("PromiseCallOptions", "grpc-web", true), ",");
  }
  f.print("  ): ", ...(promised ? ["Promise<", response, ">"] : stream), ";");
}

module.exports = { generateDeclarations };
