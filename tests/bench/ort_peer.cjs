// onnxruntime's side of peers.py: a network that torch_peer.py wrote, and the lines that worker.c answers.
//
//     node ort_peer.cjs MODEL.onnx forward|ddim50 DIM,DIM,...        onnxruntime-node in NODE_PATH
const fs = require("fs");
const readline = require("readline");
const ort = require("onnxruntime-node");

const [model, entry, list] = process.argv.slice(2);
const dims = list.split(",").map(Number);
const count = dims.reduce((a, b) => a * b, 1);
const inputs = { x: new Float32Array(count), t: new BigInt64Array(dims[0]) };
const threads = { executionProviders: ["cpu"], intraOpNumThreads: 2, interOpNumThreads: 1, graphOptimizationLevel: "all" };

const abar = [];
for (let i = 0, p = 1; i < 1000; i++) abar.push((p *= 1 - (1e-4 + ((0.02 - 1e-4) * i) / 999)));

async function main() {
  const session = await ort.InferenceSession.create(model, threads);
  const net = async (x, t) =>
    (await session.run({ x: new ort.Tensor("float32", x, dims), t: new ort.Tensor("int64", t, [dims[0]]) })).y.data;
  const ddim50 = async () => {
    const x = Float32Array.from(inputs.x);
    for (let k = 49; k >= 0; k--) {
      const now = abar[20 * k], then = k ? abar[20 * k - 20] : 1;
      const eps = await net(x, new BigInt64Array(dims[0]).fill(BigInt(20 * k)));
      const [a, b, c, d] = [Math.sqrt(now), Math.sqrt(1 - now), Math.sqrt(then), Math.sqrt(1 - then)];
      for (let i = 0; i < count; i++) {
        const x0 = Math.max(-1, Math.min(1, (x[i] - b * eps[i]) / a));
        x[i] = c * x0 + (d * (x[i] - a * x0)) / b;
      }
    }
    return x;
  };
  let result = null;
  console.log("ready");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [word, first, second] = line.split(" ");
    if (word === "in") {
      const bytes = fs.readFileSync(second);
      if (first === "x") inputs.x = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      else inputs.t = BigInt64Array.from(new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)), BigInt);
      console.log("ok");
    } else if (word === "run") {
      const times = [];
      for (let i = 0; i < Number(first); i++) {
        const start = performance.now();
        result = entry === "ddim50" ? await ddim50() : await net(inputs.x, inputs.t);
        times.push(performance.now() - start);
      }
      console.log(times.join(" "));
    } else if (word === "out") {
      fs.writeFileSync(first, Buffer.from(result.buffer, result.byteOffset, result.byteLength));
      console.log("ok");
    }
  }
}
main();
