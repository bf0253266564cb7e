using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weir.Catalog;
using Weir.Errors;
using Weir.Mcp;

namespace Weir.Gateway;

/// <summary>What the methods of both eras do. Lists and calls ask the database; <c>initialize</c>, discovery and ping prove the key.</summary>
internal sealed class McpMethods(
    AgentCatalogs catalogs,
    Definitions definitions,
    ToolCaller caller,
    SessionTokens sessions,
    GatewayQueries queries,
    RefusedRequests refused,
    Guid replicaId,
    ILogger<McpMethods> logger)
{
    public async Task InitializeAsync(McpExchange exchange)
    {
        var envelope = exchange.Envelope;
        if (envelope.RequestedVersion is not { } requested)
        {
            await McpErrors.RefuseAsync(exchange.Http, new Refusal(400, RpcCodes.InvalidParams, "params.protocolVersion is missing."), exchange.Id);
            return;
        }

        var catalog = await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        RequireInstance(exchange.Scope, catalog);
        var version = Protocol.LegacyVersions.Contains(requested, StringComparer.Ordinal) ? requested : Protocol.LatestLegacy;
        var session = sessions.Create(exchange.Scope.Principal, exchange.Scope.Path, version, envelope.InitializeCapabilities.Of(exchange.Body.Span), replicaId);
        exchange.Http.Response.Headers[Protocol.SessionHeader] = sessions.Seal(session);
        await AnswerAsync(exchange, json => ServerDescription.WriteInitializeResult(json, version, catalog));
    }

    public async Task DiscoverAsync(McpExchange exchange)
    {
        var catalog = await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        RequireInstance(exchange.Scope, catalog);
        await AnswerAsync(exchange, json => ServerDescription.WriteDiscoverResult(json, catalog));
    }

    public async Task PingAsync(McpExchange exchange)
    {
        await AuthenticateAsync(exchange);
        await AnswerAsync(exchange, static json =>
        {
            json.WriteStartObject();
            json.WriteEndObject();
        });
    }

    public async Task ListToolsAsync(McpExchange exchange)
    {
        if (exchange.Envelope.HasCursor)
        {
            await McpErrors.RefuseAsync(exchange.Http, new Refusal(exchange.Modern ? 400 : 200, RpcCodes.InvalidParams, "No page was ever cut: this cursor is not Weir's."), exchange.Id);
            return;
        }

        var catalog = await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        RequireInstance(exchange.Scope, catalog);
        var tools = catalog.Items.Where(i => i.Kind == ItemKinds.Tool).ToArray();
        var bytes = await definitions.GetAsync(tools, exchange.Aborted);
        var response = exchange.Http.Response;
        response.ContentType = "application/json";
        ServerDescription.WriteToolsResult(response.BodyWriter, exchange.Id, tools, bytes, exchange.Modern);
        await response.BodyWriter.FlushAsync(exchange.Aborted);
    }

    public async Task CallToolAsync(McpExchange exchange)
    {
        var envelope = exchange.Envelope;
        if (envelope.Name is not { Length: > 0 and <= 256 } name)
        {
            await refused.RefuseAsync(exchange, new Refusal(exchange.Modern ? 400 : 200, RpcCodes.InvalidParams, "params.name is missing, empty or longer than 256 characters."));
            return;
        }

        var responder = new HttpCallResponder(exchange.Http.Response, exchange.Body, envelope, exchange.Modern, mapUris: exchange.Scope.InstanceName is null);
        var call = new ToolCall
        {
            Principal = exchange.Scope.Principal,
            InstanceName = exchange.Scope.InstanceName,
            ExposedName = name,
            Body = exchange.Body,
            Envelope = envelope,
            RequestId = Encoding.UTF8.GetString(envelope.Id.Of(exchange.Body.Span)),
            Affinity = exchange.Affinity,
        };
        try
        {
            // A modern client that goes away cancels; a legacy one may have lost its connection only, and the call goes on.
            await caller.RunAsync(call, responder, exchange.Modern ? exchange.Aborted : CancellationToken.None);
        }
        catch (CallFailedException e)
        {
            await McpErrors.FailCallAsync(exchange, responder, e);
        }
        catch (OperationCanceledException) when (exchange.Aborted.IsCancellationRequested)
        {
            logger.LogDebug("A client went away during a call of {Tool}.", name);
        }
    }

    private async Task AuthenticateAsync(McpExchange exchange)
    {
        if (exchange.Scope.Principal.Key is { } key)
        {
            await queries.AuthenticateAsync(key, exchange.Aborted);
        }
        else
        {
            await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        }
    }

    /// <summary>An instance that is not there and one that is not granted are the same.</summary>
    private static void RequireInstance(McpScope scope, AgentCatalog catalog)
    {
        if (scope.InstanceName is { } name && !catalog.Instances.Any(i => string.Equals(i.Name, name, StringComparison.Ordinal)))
        {
            throw new WeirException(ErrorCode.NotFound, $"Unknown server: {name}");
        }
    }

    private static async Task AnswerAsync(McpExchange exchange, Action<Utf8JsonWriter> result)
    {
        exchange.Http.Response.ContentType = "application/json";
        RpcWriter.WriteResult(exchange.Http.Response.BodyWriter, exchange.Id, result);
        await exchange.Http.Response.BodyWriter.FlushAsync(exchange.Aborted);
    }
}
