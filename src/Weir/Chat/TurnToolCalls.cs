using System.Buffers;
using System.Text.Json;
using Weir.Chat.Aggregation;
using Weir.Chat.Tools;
using Weir.Errors;
using Weir.Gateway;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Mcp;

namespace Weir.Chat;

/// <summary>
/// The tool calls of one turn. Each takes the way of every other call, from the name to the audit log; a denial or a failure is
/// something that the model is told, not the end of the turn. Each is kept beside the turn before it is made, so that a turn that is
/// cut off does not call again.
/// </summary>
/// <param name="turnId">The person's message; the audit log's rows of all calls of the turn carry it.</param>
/// <param name="left">What is left of the turn's time.</param>
internal sealed class TurnToolCalls(
    GovernedCaller caller, ChatQueries queries, Principal principal, Guid turnId, TurnJournal journal, Func<TimeSpan> left,
    TimeProvider time)
{
    /// <summary>Of all calls of the turn together: they are kept with its answer.</summary>
    private const int MaxArgumentCharacters = 1024 * 1024;

    private long _argumentCharacters;

    public async Task<ToolOutput> CallAsync(GovernedTool tool, string callId, AskedArguments arguments, CancellationToken ct)
    {
        var started = time.GetTimestamp();
        var (call, problem) = arguments.Problem is null ? Read(tool, arguments.Json) : (null, arguments.Problem);
        // What cannot be sent cannot be kept either: models write anything.
        var (place, begun) = await journal.BeginAsync(callId, tool, call is null ? AskedArguments.None : arguments.Json);
        var (output, error) = call is null
            ? (new ToolOutput(tool.Facts.Server, tool.Facts.Tool, ToolCallOutcomes.Denied, problem!), ErrorCode.InvalidArgument)
            : await RunAsync(tool, call, () => KeepAsync(place, begun, ct), ct);
        var report = begun with
        {
            Outcome = output.Outcome,
            Error = error is null ? null : new CallError(error.Value.Sqlstate(), output.Text),
            DurationMs = (long)time.GetElapsedTime(started).TotalMilliseconds,
        };
        await TryKeepAsync(place, report, ct);
        await journal.EndAsync(place, report, output);
        if (output.Outcome != ToolCallOutcomes.Ok)
        {
            await journal.DegradeAsync(Degradation(output, error));
        }

        return output;
    }

    private Task KeepAsync(int place, ToolCallReport report, CancellationToken ct) =>
        queries.RecordCallAsync(principal.AgentId!.Value, turnId, place, report, ct);

    private async Task TryKeepAsync(int place, ToolCallReport report, CancellationToken ct)
    {
        try
        {
            await KeepAsync(place, report, ct);
        }
        catch (Exception e) when (e is WeirException or OperationCanceledException)
        {
            // The answer says how it ended. If that is lost too, what was kept before says that it may have been done.
        }
    }

    private async Task<(ToolOutput Output, ErrorCode? Error)> RunAsync(
        GovernedTool tool, GovernedCall call, Func<Task> keep, CancellationToken ct)
    {
        var (server, name) = (tool.Facts.Server, tool.Facts.Tool);
        try
        {
            await keep();
            var responder = new CollectingResponder();
            await caller.RunAsync(call, responder, ct);
            var (outcome, text) = responder.Read(server);
            return (new ToolOutput(server, name, outcome, OutsideText.Clean(text)),
                outcome == ToolCallOutcomes.Failed ? ErrorCode.UpstreamFailed : null);
        }
        catch (WeirException e)
        {
            return (new ToolOutput(server, name, ToolCallOutcomes.Denied, e.Message), e.Code);
        }
        catch (CallFailedException e)
        {
            return (new ToolOutput(server, name, ToolCallOutcomes.Failed, e.Message), e.Code);
        }
        catch (OperationCanceledException)
        {
            return (
                new ToolOutput(server, name, ToolCallOutcomes.Failed, $"The turn's time was over before the server '{server}' answered."),
                ErrorCode.UpstreamTimeout);
        }
        catch (Exception)
        {
            // Whatever is odd about one result is no reason to end the turn.
            return (new ToolOutput(server, name, ToolCallOutcomes.Failed, $"The answer of the server '{server}' is no tool result."),
                ErrorCode.UpstreamFailed);
        }
    }

    private (GovernedCall? Call, string? Problem) Read(GovernedTool tool, JsonElement arguments)
    {
        if (Interlocked.Add(ref _argumentCharacters, arguments.GetRawText().Length) > MaxArgumentCharacters)
        {
            return (null, "The arguments of the turn's calls together are larger than 1 MiB; nothing was called.");
        }

        try
        {
            return (Call(tool, arguments), null);
        }
        catch (ClientMessageException e)
        {
            return (null, e.Message);
        }
    }

    /// <summary>A JSON-RPC request like any client's, so that the same code reads, judges and forwards it.</summary>
    private GovernedCall Call(GovernedTool tool, JsonElement arguments)
    {
        var body = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("jsonrpc"u8, "2.0"u8);
            json.WriteString("id"u8, turnId.ToString());
            json.WriteString("method"u8, Methods.ToolsCall);
            json.WriteStartObject("params"u8);
            json.WriteString("name"u8, tool.Name);
            json.WritePropertyName("arguments"u8);
            arguments.WriteTo(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return new GovernedCall
        {
            Principal = principal,
            Kind = CallKinds.Tool,
            ExposedName = tool.Name,
            Body = body.WrittenMemory,
            Message = ClientMessageReader.Read(body.WrittenSpan),
            RequestId = turnId.ToString(),
            // A person's turns with an agent share what a server keeps for a session; nobody else's do.
            SessionAffinity = "chat/" + principal.Name,
            // Half of what is left: no one server can use up the turn, and there is always time for the answer.
            Deadline = tool.Timeout is { } own && own < left() / 2 ? own : left() / 2,
        };
    }

    private static Degradation Degradation(ToolOutput output, ErrorCode? error) => new(
        "tool",
        output.Server,
        output.Tool,
        Reason(output, error),
        output.Outcome == ToolCallOutcomes.ToolError ? $"The tool '{output.Tool}' of '{output.Server}' says that it failed." : output.Text);

    private static string Reason(ToolOutput output, ErrorCode? error) => error switch
    {
        null => output.Outcome,
        ErrorCode.UpstreamTimeout => "timeout",
        ErrorCode.InstanceUnavailable or ErrorCode.Unavailable => "unavailable",
        ErrorCode.RateLimited => "rate_limited",
        ErrorCode.Changing => "changing",
        _ => output.Outcome,
    };
}
