/** Our side of `sterna bench train`, in a process of its own so that its peak memory is its own. */
import { createInterface } from 'node:readline'
import { peakMemoryBytes } from '../../core/index.node.ts'
import { createEngine } from '../../engine/index.node.ts'
import type { EngineChoice } from '../engine-options.ts'
import { describeEngine } from '../predictors.ts'
import { optimisers } from '../train-options.ts'
import type { StepCall, StepCalls, StepWork } from './step-protocol.ts'
import { type PreparedStep, prepareStep } from './training-step.ts'

type Request = { readonly call: StepCall } & StepWork & EngineChoice & StepCalls['run']['request']

let step: PreparedStep | undefined
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request
  process.stdout.write(`${JSON.stringify(await answer(request))}\n`)
}

async function answer(request: Request): Promise<StepCalls[StepCall]['reply']> {
  switch (request.call) {
    case 'build': {
      const engine = await createEngine(request)
      step = await prepareStep(engine, { ...request, optimiser: optimisers.sgd })
      const { loweringReason } = engine
      return { description: describeEngine(engine), loweringReason, fallbacks: step.fallbacks }
    }
    case 'run': {
      const losses: number[] = []
      for (let i = 0; i < request.steps; i++) losses.push(await step!.run(request.learningRate))
      return { losses }
    }
    case 'memory':
      return { peakMemoryBytes: peakMemoryBytes() }
    default:
      return request.call satisfies never
  }
}
