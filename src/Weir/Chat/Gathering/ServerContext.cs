using System.Text.Json;
using Weir.Chat.Aggregation;
using Weir.Chat.Tools;
using Weir.Configuration;
using Weir.Definitions;
using Weir.Errors;
using Weir.Gateway;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Chat.Gathering;

/// <summary>
/// The resources and prompts that servers add to a turn. All are asked for at once, each takes the way of every other call, from
/// the name to the audit log, and each has its server's time within the turn's share. What does not come is named, with the reason.
/// </summary>
internal sealed class ServerContext(GovernedCaller caller, DefinitionCache definitions, TimeProvider time)
{
    /// <summary>One turn's questions.</summary>
    /// <param name="Left">What is left of the share.</param>
    /// <param name="Degrade">Hears what is missing.</param>
    public sealed record Turn(Principal Principal, Guid Id, string Message, Func<TimeSpan> Left, Func<Degradation, ValueTask> Degrade);

    public async Task<IReadOnlyList<ContextItem>> GatherAsync(Turn turn, AgentToolSet tools, TurnSettings settings, CancellationToken ct)
    {
        var resources = settings.Servers.SelectMany(s => s.Resources.Select(r => ContextRequest.OfResource(s, r, turn.Message)));
        var prompts = await PromptsAsync(turn, tools, settings, ct);
        var items = await Task.WhenAll(resources.Concat(prompts).Select(r => FetchAsync(turn, r, ct)));
        return [.. items.OfType<ContextItem>()];
    }

    private async Task<IReadOnlyList<ContextRequest>> PromptsAsync(
        Turn turn, AgentToolSet tools, TurnSettings settings, CancellationToken ct)
    {
        var wanted = settings.Servers.SelectMany(s => s.Prompts.Select(p => (Server: s, Name: p, Item: Find(tools, s, p)))).ToArray();
        var known = await definitions.GetAsync([.. wanted.Select(w => w.Item).OfType<AgentItem>()], ct);
        var arguments = wanted.Where(w => w.Item is not null).Zip(known).DistinctBy(p => p.First.Item)
            .ToDictionary(p => p.First.Item!, p => ArgumentsOf(p.Second));
        List<ContextRequest> requests = [];
        foreach (var (server, name, item) in wanted)
        {
            var declared = item is null ? [] : arguments[item];
            var request = ContextRequest.OfPrompt(
                server, name, item?.ExposedName ?? $"{server.Name}__{name}", declared.Select(a => a.Name), turn.Message);
            if (declared.FirstOrDefault(a => a.Required && a.Name != "message").Name is { } missing)
            {
                await turn.Degrade(
                    Problem(request, "failed", $"The {request.Subject} wants the argument '{missing}', which nobody gives in a chat."));
            }
            else
            {
                requests.Add(request);
            }
        }

        return requests;
    }

    private static AgentItem? Find(AgentToolSet tools, ServerSettings server, string prompt) =>
        tools.Items.FirstOrDefault(
            i => i.Kind == ItemKinds.Prompt && i.InstanceId == server.Id && string.Equals(i.Name, prompt, StringComparison.Ordinal));

    /// <summary>
    /// None where the definition cannot be read: the prompt is asked for all the same, and its server says what it wants.
    /// </summary>
    private static IReadOnlyList<(string Name, bool Required)> ArgumentsOf(Definition? definition)
    {
        try
        {
            return ReadArguments(definition);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return [];
        }
    }

    private static IReadOnlyList<(string Name, bool Required)> ReadArguments(Definition? definition)
    {
        if (definition is null
            || !JsonElement.Parse(definition.WithName("-"), new JsonDocumentOptions { MaxDepth = JsonDepth.Message })
                .TryGetProperty("arguments", out var list)
            || list.ValueKind != JsonValueKind.Array)
        {
            return [];
        }

        return
        [
            .. list.EnumerateArray()
                .Where(
                a =>
                    a.ValueKind == JsonValueKind.Object && a.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String)
                .Select(
                a =>
                    (a.GetProperty("name").GetString()!,
                    a.TryGetProperty("required", out var required) && required.ValueKind == JsonValueKind.True)),
        ];
    }

    /// <summary>Null where it did not come; the turn hears why.</summary>
    private async Task<ContextItem?> FetchAsync(Turn turn, ContextRequest request, CancellationToken ct)
    {
        var limit = request.Server.Timeout is { } own && own < turn.Left() ? own : turn.Left();
        if (limit <= TimeSpan.Zero)
        {
            await turn.Degrade(Problem(request, "timeout", $"The {request.Subject} was not asked for: its server is given no time."));
            return null;
        }

        using var timeout = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            return await WithRetriesAsync(turn, request, limit, time.GetTimestamp(), either.Token);
        }
        catch (OperationCanceledException)
        {
            await turn.Degrade(Problem(request, "timeout", $"The {request.Subject} was not there within {limit.TotalMilliseconds:0} ms."));
        }
        catch (Exception e)
        {
            await turn.Degrade(Problem(request, Reason(e), $"The {request.Subject} did not come: {MessageOf(e)}"));
        }

        return null;
    }

    private async Task<ContextItem> WithRetriesAsync(Turn turn, ContextRequest request, TimeSpan limit, long started, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await AskAsync(turn, request, limit - time.GetElapsedTime(started), ct);
            }
            catch (Exception e) when (attempt < request.Server.MaxRetries && IsWorthARetry(e))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(request.Server.RetryBackoffMs * (1 << attempt)), time, ct);
            }
        }
    }

    private async Task<ContextItem> AskAsync(Turn turn, ContextRequest request, TimeSpan left, CancellationToken ct)
    {
        var responder = new CollectingResponder();
        // The call ends by its own deadline, so that the audit log says that the server was late, and not that nobody waited.
        var running = caller.RunAsync(
            request.Call(turn.Principal, turn.Id, left > TimeSpan.Zero ? left : TimeSpan.Zero), responder, CancellationToken.None);
        _ = running.ContinueWith(
            static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        await running.WaitAsync(ct);
        var text = responder.ReadContext(request.Server.Name, request.Kind);
        var key = request.Kind == ContextKinds.Resource ? request.Item : "prompt:" + request.Item;
        return new ContextItem(new ContextSource("server", request.Server.Name), request.Kind, key, text, request.Server.Priority);
    }

    private static bool IsWorthARetry(Exception e) => e switch
    {
        // One that cannot get better is not asked for again.
        CallFailedException { InnerException: UpstreamException { Failure: UpstreamFailure.TooLarge or UpstreamFailure.Refused } } => false,
        CallFailedException failed => failed.Code is ErrorCode.InstanceUnavailable or ErrorCode.UpstreamFailed,
        WeirException denied => denied.Code is ErrorCode.Changing or ErrorCode.Unavailable,
        _ => false,
    };

    private static string Reason(Exception e) => e switch
    {
        CallFailedException { Code: ErrorCode.UpstreamTimeout } => "timeout",
        CallFailedException { Code: ErrorCode.InstanceUnavailable }
            or WeirException { Code: ErrorCode.InstanceUnavailable or ErrorCode.Unavailable } => "unavailable",
        WeirException { Code: ErrorCode.RateLimited } => "rate_limited",
        WeirException { Code: ErrorCode.Changing } => "changing",
        WeirException or ClientMessageException => "denied",
        // Whatever is odd about one answer is no reason to do without the others.
        _ => "failed",
    };

    private static string MessageOf(Exception e) =>
        e is CallFailedException or WeirException or ClientMessageException ? e.Message : "its answer could not be read.";

    private static Degradation Problem(ContextRequest request, string reason, string message) =>
        new("context", request.Server.Name, null, reason, message);
}
