/** Numbers of a deployment, looked at while somebody is looking. */
import { Token } from "aws-cdk-lib";

/**
 * Throws on a number that a deployment would fail by half-way, or refuse every request by. One that CloudFormation fills
 * in itself passes.
 */
export function checkNumber(
  name: string,
  value: number,
  { lowest, highest = Number.MAX_SAFE_INTEGER }: { readonly lowest: number; readonly highest?: number },
): void {
  if (Token.isUnresolved(value) || (Number.isInteger(value) && value >= lowest && value <= highest)) return;
  throw new Error(`${name} is not a whole number from ${lowest} to ${highest}: ${value}`);
}
