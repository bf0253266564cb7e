using System.Net;
using System.Text.Json;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

internal enum Ending
{
    /// <summary>The server's own answer.</summary>
    Done,

    /// <summary>The database said no.</summary>
    Denied,

    /// <summary>An error of Weir's.</summary>
    Failed,

    /// <summary>Weir does not know the session: the client initializes anew.</summary>
    SessionGone,

    /// <summary>No answer: refused, reset, or cut off.</summary>
    Broken,

    /// <summary>What Weir never says.</summary>
    Odd,
}

/// <param name="Code">Weir's code, or what there was in its place.</param>
/// <param name="IsRetryable">Null where nothing was said.</param>
internal sealed record Outcome(Ending Ending, string Code, string Text, bool? IsRetryable = null, string? Cause = null)
{
    public bool IsAtLimit => Cause == "full";

    public override string ToString() => $"{Ending} {Code} {Cause} retryable={IsRetryable}: {Text}";

    public static Outcome Broken(Exception e) =>
        new(Ending.Broken, e.GetType().Name, e.InnerException is { } inner ? $"{e.Message} {inner.Message}" : e.Message);

    /// <param name="id">What the server answers a call with.</param>
    public static Outcome Of(RawAnswer answer, string id)
    {
        var body = answer.Body.StartsWith('{')
            ? answer.Body : answer.Body.Split('\n').LastOrDefault(l => l.StartsWith("data: {", StringComparison.Ordinal))?[6..];
        if (body is null)
        {
            return new Outcome(answer.Status == HttpStatusCode.OK ? Ending.Broken : Ending.Odd, $"HTTP {(int)answer.Status}", answer.Body);
        }

        var json = JsonElement.Parse(body);
        if (json.TryGetProperty("result", out var result))
        {
            var isMark = result.TryGetProperty("content", out var content) && content[0].GetProperty("text").GetString() == id;
            return new Outcome(isMark ? Ending.Done : Ending.Odd, "result", isMark ? "" : body);
        }

        return json.TryGetProperty("error", out var error)
            ? OfError(answer.Status, error) : new Outcome(Ending.Odd, $"HTTP {(int)answer.Status}", body);
    }

    private static Outcome OfError(HttpStatusCode status, JsonElement error)
    {
        var (number, text) = (error.GetProperty("code").GetInt32(), error.GetProperty("message").GetString()!);
        if (!error.TryGetProperty("data", out var data) || !data.TryGetProperty("weir", out var code))
        {
            var ending = (number, status) switch
            {
                (-32602, _) => Ending.Denied,
                (_, HttpStatusCode.NotFound) => Ending.SessionGone,
                _ => Ending.Odd,
            };
            return new Outcome(ending, $"{number}", text);
        }

        return new Outcome(
            code.ValueEquals("WR011") ? Ending.Denied : code.ValueEquals("WR500") || number == -32603 ? Ending.Odd : Ending.Failed,
            code.GetString()!,
            text,
            data.GetProperty("retryable").GetBoolean(),
            data.TryGetProperty("cause", out var cause) ? cause.GetString() : null);
    }
}

/// <summary>One call as its client saw it.</summary>
/// <param name="Id">Of the request, and what its server writes down.</param>
/// <param name="Replica">Which it called.</param>
/// <param name="Expects">What is right while all parts are up; null: either.</param>
/// <param name="IsForbidden">The revoke of its grant had been committed before it began, and the next grant was not begun when it
/// ended.</param>
internal sealed record Attempt(
    string Id, int Replica, DateTimeOffset From, DateTimeOffset To, Outcome Outcome, Ending? Expects, bool IsForbidden)
{
    public bool IsAsExpected => Expects is { } expected ? Outcome.Ending == expected : Outcome.Ending is Ending.Done or Ending.Denied;

    public override string ToString() => $"{Id} at replica {Replica + 1}, {From:HH:mm:ss.fff} to {To:HH:mm:ss.fff}: {Outcome}";
}
