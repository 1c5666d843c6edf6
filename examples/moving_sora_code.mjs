// The same in JavaScript: only baseURL and the key differ from code written for OpenAI.
//
// npm install openai
// WORLDREEL_API_KEY=... node examples/moving_sora_code.mjs ball.mp4 [http://127.0.0.1:8000/v1]
import { writeFile } from "node:fs/promises";
import OpenAI from "openai";

const [path = "video.mp4", baseURL = "http://127.0.0.1:8000/v1"] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: process.env.WORLDREEL_API_KEY });

let video = await client.videos.create({
  model: "sora-2",
  prompt: "a red ball falls and bounces on a wooden floor",
  size: "1280x720",
  seconds: "4",
});
while (video.status === "queued" || video.status === "in_progress") {
  await new Promise((resolve) => setTimeout(resolve, 500));
  video = await client.videos.retrieve(video.id);
}
if (video.status === "failed") throw new Error(video.error.message);
const content = await client.videos.downloadContent(video.id);
await writeFile(path, Buffer.from(await content.arrayBuffer()));
console.log(path, video.worldreel.notes);
