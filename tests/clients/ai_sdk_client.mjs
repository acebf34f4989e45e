// The Vercel AI SDK with its three providers that can speak to the gateway.
import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embedMany, generateText, isStepCount, streamText, tool } from 'ai';
import { z } from 'zod';

const { BASE_URL, GATEWAY_KEY: apiKey, MODEL, BREAKING_MODEL, EMBEDDING_MODEL } = process.env;
const baseURL = `${BASE_URL}/v1`;
const prompt = 'hello from a client';
const ANSWER = 'You said: hello from a client';
const TOOL_ANSWER = 'The tools said: sunny in Paris';

const openai = createOpenAI({ baseURL, apiKey });
const compatible = createOpenAICompatible({ name: 'gateway', baseURL, apiKey, includeUsage: true });
const anthropic = createAnthropic({ baseURL, apiKey });

const models = {
  openai: id => openai.chat(id),
  responses: id => openai.responses(id),
  compatible: id => compatible.chatModel(id),
  anthropic: id => anthropic(id),
};

const weather = tool({
  description: 'The weather in a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const withTool = { tools: { get_weather: weather }, stopWhen: isStepCount(3) };

const checks = {
  async chat(model) {
    const { text, usage, finishReason } = await generateText({ model: model(MODEL), prompt });
    assert.equal(text, ANSWER);
    assert.equal(finishReason, 'stop');
    assert.ok(usage.outputTokens > 0);
  },
  async stream(model) {
    const result = streamText({ model: model(MODEL), prompt });
    let text = '';
    for await (const part of result.textStream) text += part;
    assert.equal(text, ANSWER);
    assert.equal(await result.finishReason, 'stop');
  },
  async tools(model) {
    const { text, steps } = await generateText({ model: model(MODEL), prompt, ...withTool });
    assert.equal(text, TOOL_ANSWER);
    assert.equal(steps.length, 2);
  },
  async streamed_tools(model) {
    const result = streamText({ model: model(MODEL), prompt, ...withTool });
    let text = '';
    for await (const part of result.textStream) text += part;
    assert.equal(text, TOOL_ANSWER);
  },
  async broken_stream(model) {
    const result = streamText({ model: model(BREAKING_MODEL), prompt, onError() {} });
    const kinds = new Set();
    for await (const part of result.fullStream) kinds.add(part.type);
    assert.ok(kinds.has('text-delta'));
    assert.ok(kinds.has('error'));
  },
  async errors(model) {
    const asked = generateText({ model: model('no-such-model'), prompt, maxRetries: 0 });
    await assert.rejects(asked, error => {
      assert.ok(APICallError.isInstance(error));
      assert.equal(error.statusCode, 404);
      assert.match(error.message, /no-such-model/);
      return true;
    });
  },
};

for (const [provider, model] of Object.entries(models)) {
  for (const [name, check] of Object.entries(checks)) {
    await check(model);
    console.log(`${provider}:${name}`);
  }
}

for (const [provider, made] of Object.entries({ openai, compatible })) {
  const { embeddings } = await embedMany({
    model: made.embeddingModel(EMBEDDING_MODEL),
    values: ['one', 'two'],
  });
  assert.equal(embeddings.length, 2);
  assert.notDeepEqual(embeddings[0], embeddings[1]);
  console.log(`${provider}:embeddings`);
}
