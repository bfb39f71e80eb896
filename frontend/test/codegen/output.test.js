"use strict";

/** What is generated, and what is not: exports, methods, comments, files, options. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it } = require("node:test");
const ts = require("typescript");
const { STYLE, generateFixtures, makeOutputFolder, runProtoc } = require("./generate.cjs");

const folder = generateFixtures();
const load = (file) => require(path.join(folder, file));
const methodsOf = (client) => Object.getOwnPropertyNames(client.prototype).sort();

describe("exports", () => {
  it("are the two clients of each service, and nothing else", () => {
    const exported = Object.keys(load("shop/v1/kinds_grpc_web_pb.js")).sort();
    assert.deepEqual(exported, [
      "KindsServiceClient",
      "KindsServicePromiseClient",
      "RequestStreamsServiceClient",
      "RequestStreamsServicePromiseClient",
    ]);
  });

  it("need no file for messages only", () => {
    assert.ok(fs.existsSync(path.join(folder, "shared/v1/page_pb.js")));
    assert.deepEqual(fs.readdirSync(path.join(folder, "shared/v1")).sort(), ["page_pb.d.ts", "page_pb.js"]);
  });
});

describe("methods", () => {
  const clients = load("shop/v1/kinds_grpc_web_pb.js");

  for (const kind of ["Client", "PromiseClient"]) {
    it(`of a ${kind} are the unary and the server streaming ones`, () => {
      assert.deepEqual(methodsOf(clients[`KindsService${kind}`]), ["constructor", "download", "unary"]);
    });

    it(`of a ${kind} may be none at all`, () => {
      assert.deepEqual(methodsOf(clients[`RequestStreamsService${kind}`]), ["constructor"]);
      assert.ok(new clients[`RequestStreamsService${kind}`](""));
    });
  }

  for (const extension of [".js", ".d.ts"]) {
    it(`that are left out are explained in ${extension}`, () => {
      const text = fs.readFileSync(path.join(folder, `shop/v1/kinds_grpc_web_pb${extension}`), "utf8");
      assert.match(text, /\/\/ Upload is left out: it is client streaming, /);
      assert.match(text, /\/\/ Talk is left out: it is bidirectional streaming, /);
    });
  }
});

/** What an editor shows for a class or for one of its methods. */
function documentation(program, className, methodName) {
  const fileName = program.getRootFileNames()[0];
  const checker = program.getTypeChecker();
  const statements = program.getSourceFile(fileName).statements.filter(ts.isClassDeclaration);
  let symbol = checker.getSymbolAtLocation(statements.find((node) => node.name.text === className).name);
  if (methodName) {
    symbol = symbol.members.get(methodName);
  }
  return {
    text: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
    tags: symbol.getJsDocTags(checker).map((tag) => tag.name),
  };
}

for (const file of ["shop/v1/shop_grpc_web_pb.js", "shop/v1/shop_grpc_web_pb.d.ts"]) {
  const program = ts.createProgram([path.join(folder, file)], {
    allowJs: true,
    module: ts.ModuleKind.NodeNext,
    types: [],
  });

  for (const className of ["ShopServiceClient", "ShopServicePromiseClient"]) {
    describe(`comments of ${className} in ${file}`, () => {
      it("tell what the service is", () => {
        assert.equal(documentation(program, className).text.trim(), "ShopService sells things.");
      });

      it("tell what a method does, also past the end of a comment", () => {
        const { text, tags } = documentation(program, className, "getItem");
        assert.match(
          text,
          /^GetItem finds an item\.\n\nA path such as .* ends no comment, and neither does .* alone\./,
        );
        assert.ok(!tags.includes("deprecated"));
      });

      it("tell that a method is deprecated", () => {
        const { text, tags } = documentation(program, className, "oldItem");
        assert.match(text, /^OldItem is what GetItem was\./);
        assert.ok(tags.includes("deprecated"));
      });
    });
  }
}

describe("options", () => {
  it("refuse TypeScript", () => {
    const { status, stderr } = runProtoc(makeOutputFolder(), "target=ts", ["names.proto"]);
    assert.notEqual(status, 0);
    assert.match(stderr, /target=ts is not supported/);
  });

  it("refuse what they do not know", () => {
    const { status, stderr } = runProtoc(makeOutputFolder(), `${STYLE},mode=grpcweb`, ["names.proto"]);
    assert.notEqual(status, 0);
    assert.match(stderr, /mode=grpcweb/);
  });
});
