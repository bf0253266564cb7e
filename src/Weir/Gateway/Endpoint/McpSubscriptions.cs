using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Gateway.Http;
using Weir.Gateway.Watching;
using Weir.Mcp;

namespace Weir.Gateway.Endpoint;

/// <summary>
/// What a client wants to hear of: a legacy one subscribes to resources and listens on its session's stream; a modern one says all of it in
/// the request that listens. A subscription is decided and recorded as a read of the resource would be.
/// </summary>
internal sealed class McpSubscriptions(
    AgentToolsCache toolsCache, ChangeStreams streams, McpCalls calls, GovernedCaller caller, InstanceWatches watches,
    SessionStates states, WatchQueries queries, RefusedRequests refused)
{
    /// <summary>Each costs its server something for as long as it lasts.</summary>
    private const int MaxPerSession = 100;
    private const int MaxUri = 2048;

    /// <summary>A legacy session's own stream.</summary>
    public Task StreamAsync(Microsoft.AspNetCore.Http.HttpContext http, McpScope scope, Session session)
    {
        var state = states.Of(session);
        return streams.StreamAsync(
            http,
            scope.Principal.Name,
            ChangeFilter.Legacy,
            async ct => McpMethods.RequireOn(await toolsCache.LoadAsync(scope.Principal, scope.InstanceName, ct), scope),
            (updated, _) =>
            {
                state.Updated += updated;
                return Task.FromResult(new Subscribed([], () => state.Updated -= updated));
            },
            ct => EndForbiddenAsync(scope.Principal, state.Subscriptions, state.Unsubscribe, ct));
    }

    public async Task SubscribeAsync(McpRequest request)
    {
        var state = states.Of(request.Session!);
        if (request.Message.Uri is not { Length: > 0 and <= MaxUri } uri
            || (state.Subscriptions.Count >= MaxPerSession && !state.Subscriptions.ContainsKey(uri)))
        {
            await refused.RefuseAsync(request, new Refusal(200, RpcCodes.InvalidParams,
                $"params.uri is missing or too long, or the session has {MaxPerSession} subscriptions already."));
            return;
        }

        var subscription = await OpenAsync(request, uri, () => state.Emit(uri), request.Aborted);
        state.Unsubscribe(uri);
        state.Subscriptions[uri] = subscription;
        await watches.EstablishedAsync([subscription], request.Aborted);
        await McpMethods.AnswerEmptyAsync(request);
    }

    public async Task UnsubscribeAsync(McpRequest request)
    {
        states.Of(request.Session!).Unsubscribe(request.Message.Uri ?? "");
        await McpMethods.AnswerEmptyAsync(request);
    }

    /// <summary>A modern client's one stream for all that it wants to hear of.</summary>
    public async Task ListenAsync(McpRequest request)
    {
        if (ReadFilter(request) is not { } wanted)
        {
            await refused.RefuseAsync(request, new Refusal(400, RpcCodes.InvalidParams,
                $"params.notifications is missing, or no filter, or names more than {MaxPerSession} resources."));
            return;
        }

        var scope = request.Scope;
        var open = new System.Collections.Concurrent.ConcurrentDictionary<string, Subscription>(StringComparer.Ordinal);
        await streams.StreamAsync(
            request.Http,
            scope.Principal.Name,
            wanted.Filter,
            _ => McpMethods.LoadAsync(toolsCache, request),
            async (updated, ct) =>
            {
                try
                {
                    await OpenAllAsync(request, wanted.Uris, open, updated, ct);
                }
                catch
                {
                    EndAll(open);
                    throw;
                }

                return new Subscribed([.. wanted.Uris.Where(open.ContainsKey)], () => EndAll(open));
            },
            ct => EndForbiddenAsync(
                scope.Principal,
                open,
                uri =>
                {
                    if (open.TryRemove(uri, out var subscription))
                    {
                        subscription.Dispose();
                    }
                },
                ct));
    }

    private async Task OpenAllAsync(
        McpRequest request, IReadOnlyList<string> uris, System.Collections.Concurrent.ConcurrentDictionary<string, Subscription> open,
        Action<string> updated, CancellationToken ct)
    {
        foreach (var uri in uris)
        {
            try
            {
                open[uri] = await OpenAsync(request, uri, () => updated(uri), ct);
            }
            catch (WeirException e) when (e.Code is not (ErrorCode.Unauthenticated or ErrorCode.Unavailable))
            {
                // Not agreed to: it is missing in the acknowledgement.
            }
        }

        await watches.EstablishedAsync([.. open.Values], ct);
    }

    /// <summary>Decides and records, then listens to the resource until it is disposed.</summary>
    private async Task<Subscription> OpenAsync(McpRequest request, string uri, Action updated, CancellationToken ct)
    {
        using var admitted = await caller.AdmitAsync(calls.Call(request, CallKinds.Resource, uri), ct);
        Subscription? subscription = null;
        await GovernedCaller.CompleteAsync(admitted, run =>
        {
            var sessionAffinity = admitted.Decision.Share == "session" ? request.SessionAffinity : "";
            subscription = watches.Subscribe(caller.TargetOf(admitted), sessionAffinity, request.Offered, admitted.Item, updated);
            run.Complete(Outcomes.Ok, errorCode: null);
            return Task.CompletedTask;
        });
        return subscription!;
    }

    /// <summary>Something changed: what may not be read any more is not heard of any more.</summary>
    private async Task EndForbiddenAsync(
        Identity.Principal principal, System.Collections.Concurrent.ConcurrentDictionary<string, Subscription> open, Action<string> end,
        CancellationToken ct)
    {
        var held = open.ToArray();
        if (held.Length == 0)
        {
            return;
        }

        var may = await queries.MayReadAsync(principal, [.. held.Select(h => new CallTarget(h.Value.InstanceId, "", h.Value.Uri!))], ct);
        for (var i = 0; i < held.Length; i++)
        {
            if (i >= may.Length || !may[i])
            {
                end(held[i].Key);
            }
        }
    }

    private static void EndAll(System.Collections.Concurrent.ConcurrentDictionary<string, Subscription> open)
    {
        foreach (var subscription in open.Values)
        {
            subscription.Dispose();
        }
    }

    private static (ChangeFilter Filter, IReadOnlyList<string> Uris)? ReadFilter(McpRequest request)
    {
        if (!request.Message.Params.Exists)
        {
            return null;
        }

        using var document =
            JsonDocument.Parse(request.Message.Params.Of(request.Body), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        if (!document.RootElement.TryGetProperty("notifications", out var wanted) || wanted.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        string[] uris = [];
        if (wanted.TryGetProperty("resourceSubscriptions", out var listed))
        {
            if (listed.ValueKind != JsonValueKind.Array || listed.GetArrayLength() > MaxPerSession
                || listed.EnumerateArray()
                    .Any(u => u.ValueKind != JsonValueKind.String || u.GetString() is not { Length: > 0 and <= MaxUri }))
            {
                return null;
            }

            uris = [.. listed.EnumerateArray().Select(u => u.GetString()!).Distinct(StringComparer.Ordinal)];
        }

        return (new ChangeFilter(Flag("toolsListChanged"), Flag("promptsListChanged"), Flag("resourcesListChanged"), request.Id), uris);

        bool Flag(string name) => wanted.TryGetProperty(name, out var flag) && flag.ValueKind == JsonValueKind.True;
    }
}
