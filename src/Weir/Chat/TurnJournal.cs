using System.Text.Json;
using Weir.Chat.Tools;
using Weir.Errors;

namespace Weir.Chat;

/// <summary>What happened in one turn, kept for its answer and told to who listens, one event at a time.</summary>
internal sealed class TurnJournal(Func<ChatEvent, ValueTask> tell)
{
    private readonly Lock _lock = new();
    private readonly List<ToolCallReport> _calls = [];
    private readonly List<Degradation> _degraded = [];

    public IReadOnlyList<ToolCallReport> Calls
    {
        get
        {
            lock (_lock)
            {
                return [.. _calls];
            }
        }
    }

    public IReadOnlyList<Degradation> Degraded
    {
        get
        {
            lock (_lock)
            {
                return [.. _degraded];
            }
        }
    }

    /// <summary>A tool that the model was not offered.</summary>
    public static Degradation LeftOut(string server, string tool, string why) =>
        new("tool", server, tool, "left_out", $"The tool '{tool}' of '{server}' was not offered to the model: {why}.");

    public ValueTask EmitAsync(string type, object data) => tell(new ChatEvent(type, data));

    public async ValueTask DegradeAsync(Degradation degradation)
    {
        lock (_lock)
        {
            _degraded.Add(degradation);
        }

        await EmitAsync("degraded", degradation);
    }

    /// <summary>
    /// A call begins. Its place among the calls is the order in which the model made them, not the one in which they end. Until it
    /// ends it counts as failed: that is what it is if the turn is over, or cut off, first.
    /// </summary>
    public async ValueTask<(int Place, ToolCallReport Report)> BeginAsync(string id, GovernedTool tool, JsonElement arguments)
    {
        var report = new ToolCallReport(
            id, tool.Name, tool.Facts.Server, tool.Facts.Tool, arguments, ToolCallOutcomes.Failed,
            new CallError(ErrorCode.UpstreamTimeout.Sqlstate(),
                "The turn was over before this had an answer. It may have been done all the same."), 0);
        int place;
        lock (_lock)
        {
            place = _calls.Count;
            _calls.Add(report);
        }

        await EmitAsync("tool_call", new { id, name = tool.Name, server = tool.Facts.Server, tool = tool.Facts.Tool, arguments });
        return (place, report);
    }

    public async ValueTask EndAsync(int place, ToolCallReport report, ToolOutput output)
    {
        lock (_lock)
        {
            _calls[place] = report;
        }

        await EmitAsync(
            "tool_result",
            new
            {
                id = report.Id,
                name = report.Name,
                server = report.Server,
                tool = report.Tool,
                outcome = report.Outcome,
                text = output.Text,
            });
    }
}
