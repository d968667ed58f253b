/** The table of countries by address, beside the code of functions whose clicks no CloudFront has seen. Knows no lookup. */
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { Code, LayerVersion } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { COUNTRY_TABLE } from "../../processors/geo/table.ts";

export class Countries extends Construct {
  /** 8 MB, read when the first click asks; a layer, so that it is uploaded once for all functions and with none of their versions. */
  readonly layer: LayerVersion;
  /** Where a function finds it. */
  readonly path: string;

  /** Throws when the table's package is not installed. */
  constructor(scope: Construct, id: string) {
    super(scope, id);
    const file = createRequire(import.meta.url).resolve(COUNTRY_TABLE);
    this.layer = new LayerVersion(this, "Table", {
      description: "Rivulet: countries by address",
      code: Code.fromAsset(dirname(file), { exclude: ["*", `!${basename(file)}`] }),
    });
    this.path = `/opt/${basename(file)}`;
  }
}
