export { writeSterna } from './write-sterna.ts'
