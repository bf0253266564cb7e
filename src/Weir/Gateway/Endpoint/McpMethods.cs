using System.Text.Json;
using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Gateway.Http;
using Weir.Limits;
using Weir.Identity;
using Weir.Mcp;

namespace Weir.Gateway.Endpoint;

/// <summary>What opens and keeps a conversation, in both eras. Each proves the key.</summary>
internal sealed class McpMethods(
    AgentToolsCache toolsCache, SessionTokens sessions, SessionStates states, ReplicaForwarder forwarder, KeyQueries queries,
    TimeProvider time)
{
    /// <summary>Proofs of one key that run at once, that wait, and how long: a key that floods waits for its own.</summary>
    private readonly PerCallerQueue _proofs = new(running: 2, waiting: 256, TimeSpan.FromSeconds(5), time);

    public async Task InitializeAsync(McpRequest request)
    {
        var message = request.Message;
        if (message.RequestedVersion is not { } requested)
        {
            await McpErrors.RefuseAsync(
                request.Http, new Refusal(400, RpcCodes.InvalidParams, "params.protocolVersion is missing."), request.Id);
            return;
        }

        var tools = await LoadAsync(toolsCache, request);
        var version = Protocol.LegacyVersions.Contains(requested, StringComparer.Ordinal) ? requested : Protocol.LatestLegacy;
        var offered = ClientCapabilities.Read(message.InitializeCapabilities.Of(request.Body.Span));
        var session = sessions.Create(request.Scope.Principal, request.Scope.Path, version, offered, forwarder.ReplicaId);
        request.Http.Response.Headers[Protocol.SessionHeader] = sessions.Seal(session);
        await AnswerAsync(request, json => ServerDescription.WriteInitializeResult(json, version, tools));
    }

    public async Task DiscoverAsync(McpRequest request)
    {
        var tools = await LoadAsync(toolsCache, request);
        await AnswerAsync(request, json => ServerDescription.WriteDiscoverResult(json, tools));
    }

    public async Task PingAsync(McpRequest request)
    {
        await AuthenticateAsync(request);
        await AnswerEmptyAsync(request);
    }

    /// <summary>From which level on the client wants its servers' messages; they are asked for it with its next calls.</summary>
    public async Task SetLevelAsync(McpRequest request)
    {
        if (!LogLevels.IsKnown(request.Message.LogLevel))
        {
            await McpErrors.RefuseAsync(
                request.Http, new Refusal(200, RpcCodes.InvalidParams, "params.level is not a log level."), request.Id);
            return;
        }

        await AuthenticateAsync(request);
        states.Of(request.Session!).LogLevel = request.Message.LogLevel;
        await forwarder.NotifyReplicasAsync(request.Http, request.Body);
        await AnswerEmptyAsync(request);
    }

    /// <summary>
    /// The live catalog of the endpoint, which proves the key. An instance that is not there and one that is not granted are the same.
    /// </summary>
    /// <exception cref="WeirException">WR002: the principal is not valid; WR003: it is switched off; WR004: it has no such
    /// server.</exception>
    public static async Task<AgentToolSet> LoadAsync(AgentToolsCache toolsCache, McpRequest request)
    {
        var scope = request.Scope;
        var tools = await toolsCache.LoadAsync(scope.Principal, scope.InstanceName, request.Aborted);
        return scope.InstanceName is { } name && !tools.Instances.Any(i => string.Equals(i.Name, name, StringComparison.Ordinal))
            ? throw new WeirException(ErrorCode.NotFound, $"Unknown server: {name}")
            : RequireOn(tools, scope);
    }

    /// <summary>The catalog.</summary>
    /// <exception cref="WeirException">WR003: the endpoint is one server, and it is switched off.</exception>
    public static AgentToolSet RequireOn(AgentToolSet tools, McpScope scope) =>
        scope.InstanceName is not null && tools.Instances is [{ IsSwitchedOff: true }] ? throw Denials.SwitchedOff() : tools;

    public static async Task AnswerAsync(McpRequest request, Action<Utf8JsonWriter> result)
    {
        request.Http.Response.ContentType = "application/json";
        RpcWriter.WriteResult(request.Http.Response.BodyWriter, request.Id, result);
        await request.Http.Response.BodyWriter.FlushAsync(request.Aborted);
    }

    public static Task AnswerEmptyAsync(McpRequest request) => AnswerAsync(request, static json =>
    {
        json.WriteStartObject();
        json.WriteEndObject();
    });

    private async Task AuthenticateAsync(McpRequest request)
    {
        if (request.Scope.Principal.Key is { } key)
        {
            // It was found good before its message was read (McpHandler).
            using var permit = await _proofs.EnterAsync(key.Id, request.Aborted)
                ?? throw new WeirException(ErrorCode.RateLimited, "Too many pings of this key wait.", "Retry in a moment.");
            await queries.AuthenticateAsync(key, isKnown: true);
        }
        else
        {
            await toolsCache.LoadAsync(request.Scope.Principal, request.Scope.InstanceName, request.Aborted);
        }
    }
}
