using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Weir.Configuration;
using Weir.Definitions;
using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Gateway.Limits;
using Weir.Http;
using Weir.Mcp;

namespace Weir.Gateway.Watching;

/// <summary>What one open stream wants to hear of, and in which form.</summary>
/// <param name="SubscriptionId">The raw id of a modern client's listening request, which each notification carries; empty in the legacy
/// era.</param>
internal sealed record ChangeFilter(bool Tools, bool Prompts, bool Resources, byte[] SubscriptionId)
{
    /// <summary>A legacy session's stream hears of everything.</summary>
    public static readonly ChangeFilter Legacy = new(true, true, true, []);

    public bool IsModern => SubscriptionId.Length > 0;

    public bool Wants(string kind) => kind switch
    {
        ItemKinds.Tool => Tools,
        ItemKinds.Prompt => Prompts,
        _ => Resources,
    };
}

/// <summary>
/// Tells open streams that a list or a resource changed. The database's hint says which organization; whether this agent's list really
/// differs is looked up before anybody is told. While a stream is open, the servers of its agent are listened to.
/// </summary>
internal sealed class ChangeStreams(
    CallConcurrencyLimiter connections, ServerWatch servers, IHostApplicationLifetime lifetime, TimeProvider time)
{
    /// <summary>Each open stream costs a look at the database for every change; a client needs one.</summary>
    private const int MaxPerPrincipal = 16;

    private readonly ConcurrentDictionary<Guid, Listener> _listeners = new();

    /// <summary>How many streams are open.</summary>
    public int Count => _listeners.Count;

    /// <summary>A hint: something of this organization changed; null: anything may have.</summary>
    public void Announce(Guid? organizationId)
    {
        foreach (var listener in _listeners.Values.Where(
            l => organizationId is null || l.OrganizationId is null || l.OrganizationId == organizationId))
        {
            listener.Changes.AddLists();
        }
    }

    /// <summary>Streams until the client goes away, its key is no longer good, or the replica stops.</summary>
    /// <param name="load">The agent's tools, live, which proves its key.</param>
    /// <param name="begin">Subscribes to resources before the stream begins: gets what to call when one of them changed (the URI that the
    /// client knows), answers the URIs that were agreed to and what ends them.</param>
    /// <param name="permitted">Ends those subscriptions that are no longer permitted.</param>
    /// <exception cref="WeirException">WR002: the principal is not good; WR008: it has too many streams, or its organization too much open.
    /// Nothing was sent yet.</exception>
    public async Task StreamAsync(
        HttpContext http, string principal, ChangeFilter filter, Func<CancellationToken, Task<AgentToolSet>> load,
        Func<Action<string>, CancellationToken, Task<Subscribed>> begin, Func<CancellationToken, Task> permitted)
    {
        if (_listeners.Values.Count(l => l.Principal == principal) >= MaxPerPrincipal)
        {
            throw new WeirException(
                ErrorCode.RateLimited, $"This principal has {MaxPerPrincipal} streams open already.", "Close one first.");
        }

        // A stream would hold up the stop of the whole replica: it ends first, and its client reconnects to another.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        var ct = ending.Token;
        var id = Guid.CreateVersion7(time.GetUtcNow());
        var listener = new Listener(principal);
        _listeners[id] = listener;
        try
        {
            // Heard first, looked at second: a change in between is not missed.
            var tools = await load(ct);
            listener.OrganizationId = tools.OrganizationId;
            using var open = connections.TryAcquire(tools) ?? throw Denials.LimitReached();
            using var held = servers.Hold();
            await held.KeepAsync(tools, ct);
            using var subscribed = await begin(listener.Changes.Add, ct);
            await BeginAsync(http, filter, subscribed.Uris, ct);
            await FollowAsync(http, listener, filter, tools, held, load, permitted, ct);
        }
        catch (OperationCanceledException)
        {
            // The client went away, which is how every stream ends; or the replica stops, and the client is told.
            await EndAsync(http, filter);
        }
        catch (WeirException) when (http.Response.HasStarted)
        {
            // The key is revoked, what it is for is switched off, or the database is away: the client reconnects and is told.
        }
        finally
        {
            _listeners.TryRemove(id, out _);
        }
    }

    private async Task FollowAsync(
        HttpContext http, Listener listener, ChangeFilter filter, AgentToolSet shown, ServerWatch.Held held,
        Func<CancellationToken, Task<AgentToolSet>> load, Func<CancellationToken, Task> permitted, CancellationToken ct)
    {
        var prints = Prints(shown);
        // Said however much else happens: a change of what this agent does not see is no sign of life.
        await using var beat = time.CreateTimer(_ => listener.Changes.AddBeat(), null, EventStream.KeepAlive, EventStream.KeepAlive);
        while (true)
        {
            var changes = await listener.Changes.TakeAsync(ct);
            foreach (var uri in changes.Uris)
            {
                Write(http, Methods.ResourceUpdated, filter, uri);
            }

            if (changes.Lists)
            {
                var tools = await load(ct);
                var now = Prints(tools);
                foreach (var (kind, method) in Lists.Where(l => filter.Wants(l.Kind) && now[l.Kind] != prints[l.Kind]))
                {
                    Write(http, method, filter, uri: null);
                }

                prints = now;
                await held.KeepAsync(tools, ct);
                await permitted(ct);
            }

            if (changes.Beat)
            {
                http.Response.BodyWriter.Write(EventStream.Comment);
            }

            await http.Response.BodyWriter.FlushAsync(ct);
        }
    }

    /// <summary>The change notifications of both eras, by what changed.</summary>
    private static readonly (string Kind, string Method)[] Lists =
    [
        (ItemKinds.Tool, Methods.ToolsListChanged), (ItemKinds.Prompt, Methods.PromptsListChanged),
        (ItemKinds.Resource, Methods.ResourcesListChanged),
    ];

    private static async Task BeginAsync(HttpContext http, ChangeFilter filter, IReadOnlyList<string> uris, CancellationToken ct)
    {
        EventStream.Begin(http.Response);
        if (filter.IsModern)
        {
            EventStream.WriteMessage(http.Response.BodyWriter, output => WriteNotification(output, Methods.Acknowledged, filter, json =>
            {
                json.WriteStartObject("notifications"u8);
                foreach (var (wanted, name) in (ReadOnlySpan<(bool, string)>)[
                    (filter.Tools, "toolsListChanged"), (filter.Prompts, "promptsListChanged"), (filter.Resources, "resourcesListChanged")])
                {
                    if (wanted)
                    {
                        json.WriteBoolean(name, true);
                    }
                }

                if (uris.Count > 0)
                {
                    json.WriteStartArray("resourceSubscriptions"u8);
                    foreach (var uri in uris)
                    {
                        json.WriteStringValue(uri);
                    }

                    json.WriteEndArray();
                }

                json.WriteEndObject();
            }));
        }
        else
        {
            http.Response.BodyWriter.Write(EventStream.Comment);
        }

        await http.Response.BodyWriter.FlushAsync(ct);
    }

    /// <summary>
    /// A client whose stream ends with the replica is told to listen again; a modern one by the result that says that this was all.
    /// </summary>
    private async Task EndAsync(HttpContext http, ChangeFilter filter)
    {
        if (!lifetime.ApplicationStopping.IsCancellationRequested || http.RequestAborted.IsCancellationRequested
            || !http.Response.HasStarted)
        {
            return;
        }

        if (filter.IsModern)
        {
            EventStream.WriteMessage(http.Response.BodyWriter, output => RpcWriter.WriteResult(output, filter.SubscriptionId, json =>
            {
                json.WriteStartObject();
                json.WriteString("resultType"u8, "complete"u8);
                WriteMeta(json, filter);
                json.WriteEndObject();
            }));
        }
        else
        {
            http.Response.BodyWriter.Write(EventStream.ComeAgain);
        }

        await http.Response.BodyWriter.FlushAsync();
    }

    private static void Write(HttpContext http, string method, ChangeFilter filter, string? uri) => EventStream.WriteMessage(
        http.Response.BodyWriter,
        output => WriteNotification(output, method, filter, json =>
        {
            if (uri is not null)
            {
                json.WriteString("uri"u8, uri);
            }
        }));

    private static void WriteNotification(IBufferWriter<byte> output, string method, ChangeFilter filter, Action<Utf8JsonWriter> parameters)
    {
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        json.WriteStartObject();
        json.WriteString("jsonrpc"u8, "2.0"u8);
        json.WriteString("method"u8, method);
        json.WriteStartObject("params"u8);
        parameters(json);
        if (filter.IsModern)
        {
            WriteMeta(json, filter);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteMeta(Utf8JsonWriter json, ChangeFilter filter)
    {
        json.WriteStartObject("_meta"u8);
        json.WritePropertyName(Protocol.MetaSubscriptionId);
        json.WriteRawValue(filter.SubscriptionId, skipInputValidation: true);
        json.WriteEndObject();
    }

    /// <summary>
    /// What an agent sees of each list, in one word. Resources and templates are one list to a client that hears of changes.
    /// </summary>
    private static Dictionary<string, string> Prints(AgentToolSet tools)
    {
        var prints = Lists.ToDictionary(l => l.Kind, _ => new StringBuilder(), StringComparer.Ordinal);
        foreach (var item in tools.Items)
        {
            prints[item.Kind == ItemKinds.Template ? ItemKinds.Resource : item.Kind]
                .Append(item.ExposedName).Append(' ').Append(Convert.ToHexString(item.Hash)).Append(' ').AppendJoin(',', item.Eras)
                .Append(' ').AppendJoin(',', item.Needs).Append('\n');
        }

        return prints.ToDictionary(p => p.Key, p => p.Value.ToString(), StringComparer.Ordinal);
    }

    private sealed class Listener(string principal)
    {
        public string Principal { get; } = principal;

        /// <summary>Null until it is known; then every hint is heard.</summary>
        public Guid? OrganizationId { get; set; }

        public PendingChanges Changes { get; } = new();
    }
}

/// <summary>The resources that a stream hears of while it is open.</summary>
/// <param name="Uris">As the client knows them.</param>
internal sealed record Subscribed(IReadOnlyList<string> Uris, Action? End) : IDisposable
{
    public void Dispose() => End?.Invoke();
}
