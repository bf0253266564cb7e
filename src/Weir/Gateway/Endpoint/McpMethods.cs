using System.Text.Json;
using Weir.Errors;
using Weir.Gateway.Names;
using Weir.Identity;
using Weir.Mcp;

namespace Weir.Gateway.Endpoint;

/// <summary>What opens and keeps a conversation, in both eras. Each proves the key.</summary>
internal sealed class McpMethods(AgentCatalogs catalogs, SessionTokens sessions, SessionStates states, Handover handover, GatewayQueries queries, TimeProvider time)
{
    /// <summary>Proofs of one key that run at once, that wait, and how long: a key that floods waits for its own.</summary>
    private readonly FairShare _proofs = new(running: 2, waiting: 256, TimeSpan.FromSeconds(5), time);

    public async Task InitializeAsync(McpExchange exchange)
    {
        var envelope = exchange.Envelope;
        if (envelope.RequestedVersion is not { } requested)
        {
            await McpErrors.RefuseAsync(exchange.Http, new Refusal(400, RpcCodes.InvalidParams, "params.protocolVersion is missing."), exchange.Id);
            return;
        }

        var catalog = await LoadAsync(catalogs, exchange);
        var version = Protocol.LegacyVersions.Contains(requested, StringComparer.Ordinal) ? requested : Protocol.LatestLegacy;
        var offered = ClientCapabilities.Read(envelope.InitializeCapabilities.Of(exchange.Body.Span));
        var session = sessions.Create(exchange.Scope.Principal, exchange.Scope.Path, version, offered, handover.ReplicaId);
        exchange.Http.Response.Headers[Protocol.SessionHeader] = sessions.Seal(session);
        await AnswerAsync(exchange, json => ServerDescription.WriteInitializeResult(json, version, catalog));
    }

    public async Task DiscoverAsync(McpExchange exchange)
    {
        var catalog = await LoadAsync(catalogs, exchange);
        await AnswerAsync(exchange, json => ServerDescription.WriteDiscoverResult(json, catalog));
    }

    public async Task PingAsync(McpExchange exchange)
    {
        await AuthenticateAsync(exchange);
        await AnswerEmptyAsync(exchange);
    }

    /// <summary>From which level on the client wants its servers' messages; they are asked for it with its next calls.</summary>
    public async Task SetLevelAsync(McpExchange exchange)
    {
        if (!LogLevels.IsKnown(exchange.Envelope.LogLevel))
        {
            await McpErrors.RefuseAsync(exchange.Http, new Refusal(200, RpcCodes.InvalidParams, "params.level is not a log level."), exchange.Id);
            return;
        }

        await AuthenticateAsync(exchange);
        states.Of(exchange.Session!).LogLevel = exchange.Envelope.LogLevel;
        await handover.TellOthersAsync(exchange.Http, exchange.Body);
        await AnswerEmptyAsync(exchange);
    }

    /// <summary>The live catalog of the endpoint, which proves the key. An instance that is not there and one that is not granted are the same.</summary>
    /// <exception cref="WeirException">WR002: the principal is not valid; WR003: it is switched off; WR004: it has no such server.</exception>
    public static async Task<AgentCatalog> LoadAsync(AgentCatalogs catalogs, McpExchange exchange)
    {
        var scope = exchange.Scope;
        var catalog = await catalogs.LoadAsync(scope.Principal, scope.InstanceName, exchange.Aborted);
        return scope.InstanceName is { } name && !catalog.Instances.Any(i => string.Equals(i.Name, name, StringComparison.Ordinal))
            ? throw new WeirException(ErrorCode.NotFound, $"Unknown server: {name}")
            : RequireOn(catalog, scope);
    }

    /// <summary>The catalog.</summary>
    /// <exception cref="WeirException">WR003: the endpoint is one server, and it is switched off.</exception>
    public static AgentCatalog RequireOn(AgentCatalog catalog, McpScope scope) =>
        scope.InstanceName is not null && catalog.Instances is [{ IsSwitchedOff: true }] ? throw Denials.SwitchedOff() : catalog;

    public static async Task AnswerAsync(McpExchange exchange, Action<Utf8JsonWriter> result)
    {
        exchange.Http.Response.ContentType = "application/json";
        RpcWriter.WriteResult(exchange.Http.Response.BodyWriter, exchange.Id, result);
        await exchange.Http.Response.BodyWriter.FlushAsync(exchange.Aborted);
    }

    public static Task AnswerEmptyAsync(McpExchange exchange) => AnswerAsync(exchange, static json =>
    {
        json.WriteStartObject();
        json.WriteEndObject();
    });

    private async Task AuthenticateAsync(McpExchange exchange)
    {
        if (exchange.Scope.Principal.Key is { } key)
        {
            // It was found good before its message was read (McpHandler).
            using var turn = await _proofs.EnterAsync(key.Id, exchange.Aborted)
                ?? throw new WeirException(ErrorCode.RateLimited, "Too many pings of this key wait.", "Retry in a moment.");
            await queries.AuthenticateAsync(key, isKnown: true);
        }
        else
        {
            await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        }
    }
}
