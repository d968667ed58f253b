/**
 * People who sign in: a user pool with Cognito's own sign-in pages, and groups that say who reads what. API Gateway checks
 * a user's token once, when the API begins a session; see infra/api.ts and processors/handlers/session.ts.
 */
import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import {
  AccountRecovery,
  CfnManagedLoginBranding,
  FeaturePlan,
  ManagedLoginVersion,
  Mfa,
  OAuthScope,
  ResourceServerScope,
  UserPool,
  UserPoolClient,
  UserPoolClientIdentityProvider,
  type UserPoolDomain,
  UserPoolGroup,
} from "aws-cdk-lib/aws-cognito";
import { Construct } from "constructs";
import { SIGN_IN_PATH } from "../../processors/env.ts";

export interface UsersOptions {
  /** First part of the sign-in pages' address, unique in the region. Default: made of the stack and the account. */
  readonly domainPrefix?: string;
  /** How long somebody stays signed in, up to a day; also how long one who was removed reads on. Default: 8 hours. */
  readonly session?: Duration;
}

/** What the dashboard's sign-in page has to know. */
export interface SignIn {
  /** Origin of the sign-in pages. */
  readonly domain: string;
  readonly client_id: string;
  readonly scope: string;
}

export class Users extends Construct {
  readonly pool: UserPool;
  readonly domain: UserPoolDomain;
  /** That an access token must have to begin a session. */
  readonly scope: string;
  readonly #scopes: OAuthScope[];

  constructor(scope: Construct, id: string, { domainPrefix }: Pick<UsersOptions, "domainPrefix">) {
    super(scope, id);
    this.pool = new UserPool(this, "Pool", {
      // Whoever may read is invited.
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      signInCaseSensitive: false,
      standardAttributes: { email: { required: true, mutable: true } },
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      passwordPolicy: {
        minLength: 12,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(7),
      },
      mfa: Mfa.REQUIRED,
      mfaSecondFactor: { sms: false, otp: true },
      featurePlan: FeaturePlan.ESSENTIALS,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    for (const [groupName, description] of GROUPS)
      new UserPoolGroup(this, groupName, { userPool: this.pool, groupName, description });
    this.domain = this.pool.addDomain("Domain", {
      cognitoDomain: {
        domainPrefix: domainPrefix ?? `rivulet-${this.node.addr.slice(-8)}-${Stack.of(this).account}`,
      },
      managedLoginVersion: ManagedLoginVersion.NEWER_MANAGED_LOGIN,
    });
    const session = new ResourceServerScope({ scopeName: "session", scopeDescription: "Begin a session" });
    const api = this.pool.addResourceServer("Api", { identifier: "rivulet", scopes: [session] });
    this.scope = "rivulet/session";
    this.#scopes = [OAuthScope.resourceServer(api, session)];
  }

  /** Lets the dashboard at this origin send people to sign in. */
  admit(url: string): SignIn {
    const back = [`${url}${SIGN_IN_PATH}`];
    const client = new UserPoolClient(this, "Dashboard", {
      userPool: this.pool,
      // A browser keeps no secret: PKCE stands in its place.
      generateSecret: false,
      authFlows: { userSrp: true },
      oAuth: {
        flows: { authorizationCodeGrant: true },
        scopes: this.#scopes,
        callbackUrls: back,
        logoutUrls: back,
      },
      supportedIdentityProviders: [UserPoolClientIdentityProvider.COGNITO],
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      // Tokens begin a session and are forgotten: the shortest that there are.
      accessTokenValidity: Duration.minutes(5),
      idTokenValidity: Duration.minutes(5),
      refreshTokenValidity: Duration.hours(1),
    });
    // Pages of the newer kind have to have a style before anybody sees them.
    new CfnManagedLoginBranding(this, "Style", {
      userPoolId: this.pool.userPoolId,
      clientId: client.userPoolClientId,
      useCognitoProvidedValues: true,
    });
    return { domain: this.domain.baseUrl(), client_id: client.userPoolClientId, scope: this.scope };
  }
}

/** As processors/pipeline/access.ts knows them; those of single sites are made when somebody needs them. */
const GROUPS = [
  ["owners", "Read every site, and change goals, funnels and share links"],
  ["readers", "Read every site"],
] as const;
