export { GraphBuilder } from './builder.ts'
export type { Graph, GraphNode, Model, OperatorName, Operators, TrainingOperators, Value } from './types.ts'
