"use strict";

/** Messages that come from elsewhere, and names that need care: the generated clients find the right ones. */

const assert = require("node:assert/strict");
const path = require("node:path");
const { beforeEach, describe, it } = require("node:test");
const { create, isMessage } = require("@bufbuild/protobuf");
const wkt = require("@bufbuild/protobuf/wkt");
const { FakeXhr } = require("./fake-xhr.cjs");
const { generateFixtures } = require("./generate.cjs");
const { HOST, OK, answer, messageFrame, sentMessage } = require("./server.cjs");

const folder = generateFixtures();
const load = (file) => require(path.join(folder, file));

beforeEach(() => FakeXhr.reset());

describe("types of other files", () => {
  const { ShopServicePromiseClient } = load("shop/v1/shop_grpc_web_pb.js");
  const { ItemSchema, Item_PartSchema } = load("shop/v1/shop_pb.js");
  const { PageSchema, Page_TokenSchema, Order } = load("shared/v1/page_pb.js");
  const client = new ShopServicePromiseClient(HOST);

  it("are encoded and decoded across folders", () => {
    const items = [];
    client.watchItems({ token: { value: "t" }, order: Order.NEWEST }).on("data", (item) => items.push(item));
    assert.deepEqual(sentMessage(PageSchema), create(PageSchema, { token: { value: "t" }, order: Order.NEWEST }));
    const item = create(ItemSchema, {
      id: 2n ** 60n,
      created: { seconds: 1n, nanos: 5 },
      attributes: { colour: "red", sizes: [1, 2] },
      note: "unboxed",
      detail: wkt.anyPack(Item_PartSchema, create(Item_PartSchema, { name: "leg" })),
      part: { parts: [{ name: "screw" }] },
    });
    answer(messageFrame(ItemSchema, item), OK);
    assert.deepEqual(items, [item]);
  });

  it("are encoded and decoded when they are nested", async () => {
    const promise = client.nextPage({ value: "t" });
    assert.equal(sentMessage(Page_TokenSchema).value, "t");
    answer(messageFrame(Item_PartSchema, { name: "leg" }), OK);
    assert.equal((await promise).name, "leg");
  });

  it("are encoded and decoded when protobuf itself has them", async () => {
    const promise = client.clear({});
    assert.ok(isMessage(sentMessage(wkt.EmptySchema), wkt.EmptySchema));
    const time = wkt.timestampFromMs(1234);
    answer(messageFrame(wkt.TimestampSchema, time), OK);
    assert.deepEqual(await promise, time);
  });
});

describe("names that mean something to JavaScript or to the runtime", () => {
  const { NamesServiceClient, NamesServicePromiseClient } = load("names_grpc_web_pb.js");
  const { RpcErrorSchema } = load("names_pb.js");

  for (const [property, name] of Object.entries({
    constructor$: "Constructor",
    delete: "Delete",
    class: "Class",
    toString$: "ToString",
    hTMLPage: "HTMLPage",
    then$: "Then",
  })) {
    it(`${name} is called as ${property}`, async () => {
      const promise = new NamesServicePromiseClient(HOST)[property]({ text: "hi" });
      assert.equal(FakeXhr.request.url, `${HOST}/NamesService/${name}`);
      answer(messageFrame(RpcErrorSchema, { text: "hi" }), OK);
      assert.equal((await promise).text, "hi");
    });
  }

  it("client_ does not hide the client itself", () => {
    new NamesServiceClient(HOST).client_$({ text: "hi" });
    assert.equal(FakeXhr.request.url, `${HOST}/NamesService/client_`);
  });
});
