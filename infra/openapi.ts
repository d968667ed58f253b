/** The part of OpenAPI 3.0, with API Gateway's extensions, that the API document uses. Types only. */

export type Method = "get" | "post" | "put" | "delete" | "options";

/** The part of JSON Schema that both gateways check. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean";
  readonly title?: string;
  readonly description?: string;
  readonly example?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  /** The rest only describes answers: API Gateway does not get it, see published.ts. */
  readonly nullable?: boolean;
  readonly additionalProperties?: false | Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
}

export interface IntegrationResponse {
  readonly statusCode: string;
  readonly responseParameters?: Readonly<Record<string, string>>;
  readonly responseTemplates?: Readonly<Record<string, string>>;
  /** The template's text is base64 of the body. */
  readonly contentHandling?: "CONVERT_TO_BINARY";
}

export interface Integration {
  readonly type: "aws" | "aws_proxy" | "mock";
  readonly httpMethod?: "POST";
  readonly uri?: string;
  readonly credentials?: string;
  readonly passthroughBehavior: "never" | "when_no_match";
  readonly requestParameters?: Readonly<Record<string, string>>;
  readonly requestTemplates?: Readonly<Record<string, string>>;
  /** Keys are regular expressions on the backend's status, or "default". */
  readonly responses?: Readonly<Record<string, IntegrationResponse>>;
}

export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description?: string; readonly schema: Schema }>>;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: "query";
  readonly required: boolean;
  readonly description: string;
  readonly schema: Schema;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, ResponseObject>>;
  /** Scopes by the name of a security scheme. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly "x-amazon-apigateway-request-validator"?: string;
  readonly "x-amazon-apigateway-integration": Integration;
}

/** A user pool of Cognito whose access tokens API Gateway checks before it calls anything. */
export interface CognitoScheme {
  readonly type: "apiKey";
  readonly name: "Authorization";
  readonly in: "header";
  readonly "x-amazon-apigateway-authtype": "cognito_user_pools";
  readonly "x-amazon-apigateway-authorizer": {
    readonly type: "cognito_user_pools";
    readonly providerARNs: readonly string[];
  };
}

export interface GatewayResponse {
  readonly statusCode?: number;
  readonly responseParameters: Readonly<Record<string, string>>;
  readonly responseTemplates: Readonly<Record<string, string>>;
}

export interface ApiDocument {
  readonly openapi: "3.0.1";
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes?: Readonly<Record<string, CognitoScheme>>;
  };
  readonly "x-amazon-apigateway-request-validators": Readonly<
    Record<string, { readonly validateRequestBody: boolean; readonly validateRequestParameters: boolean }>
  >;
  readonly "x-amazon-apigateway-gateway-responses": Readonly<Record<string, GatewayResponse>>;
}
