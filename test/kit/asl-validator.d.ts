/** The package has no types of its own: as much of it as tests use. */
declare module "asl-validator" {
  // biome-ignore lint/style/noDefaultExport: it is theirs
  export default function validate(
    definition: object,
    options?: { readonly checkPaths?: boolean; readonly checkArn?: boolean },
  ): { readonly isValid: boolean; readonly errorsText: (separator?: string) => string };
}
