using System.Globalization;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>A call's row of the audit log.</summary>
internal sealed record RecordRow(string RequestId, string Phase, Guid Id, DateTimeOffset At, string? Outcome);

/// <summary>What the clients saw, what the audit log has, and what the servers did, against each other.</summary>
internal sealed class Reckoning
{
    /// <summary>How long a call may be under way when the fault comes.</summary>
    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(20);

    private readonly Load _load;
    private readonly Trial _trial;
    private readonly ILookup<string, RecordRow> _requested;
    private readonly HashSet<(Guid, DateTimeOffset)> _completed;
    private readonly Dictionary<string, int> _done;
    private readonly List<string> _broken = [];

    private Reckoning(Load load, Trial trial, IReadOnlyList<RecordRow> rows, IEnumerable<string> marks)
    {
        (_load, _trial) = (load, trial);
        _requested = rows.Where(r => r.Phase == "requested").ToLookup(r => r.RequestId, StringComparer.Ordinal);
        _completed = [.. rows.Where(r => r.Phase == "completed").Select(r => (r.Id, r.At))];
        _done = marks.GroupBy(m => m, StringComparer.Ordinal).ToDictionary(m => m.Key, m => m.Count(), StringComparer.Ordinal);
    }

    /// <summary>What is not as it must be.</summary>
    public IReadOnlyList<string> Broken => _broken;

    public static async Task<Reckoning> MakeAsync(FaultyWeir weir, Load load, Trial trial)
    {
        var rows = await weir.Database.Superuser.QueryAsync(
            """
            select trim(both '"' from request_id), phase::text, id, created_at, outcome::text from public.mcp_interaction_logs
            where kind = 'tool_execution' and request_id like '"' || $1 || '-%' and phase in ('requested', 'completed')
            """,
            [Sql.Text(load.Name)],
            r => new RecordRow(r.GetString(0), r.GetString(1), r.GetGuid(2), r.GetFieldValue<DateTimeOffset>(3), r.GetNullableString(4)),
            CancellationToken.None);
        var reckoning = new Reckoning(load, trial, rows, weir.Marks.Where(m => m.StartsWith(load.Name + "-", StringComparison.Ordinal)));
        reckoning.LookAtServers();
        foreach (var attempt in load.Attempts)
        {
            reckoning.LookAt(attempt);
        }

        reckoning.LookAtOutcomes();
        return reckoning;
    }

    /// <summary>
    /// Of the calls that began and ended while all parts were up: how many, those that went wrong, and those for which there was no room.
    /// </summary>
    public (int All, List<Attempt> Wrong, int AtLimit) WhileUp()
    {
        var up = _load.Attempts.Where(a => _trial.Windows.Any(w => a.From >= w.From && a.To <= w.To)).ToArray();
        return (up.Length, [.. up.Where(a => !a.IsAsExpected && !a.Outcome.IsAtLimit)], up.Count(a => a.Outcome.IsAtLimit));
    }

    /// <summary>Admitted, and the client did not get the server's answer.</summary>
    public IReadOnlyList<Attempt> Unanswered() => [
        .. _load.Attempts.Where(a => _requested.Contains(a.Id) && a.Outcome.Ending != Ending.Done),
    ];

    public string Summary()
    {
        var (all, wrong, full) = WhileUp();
        var kinds = _load.Attempts.Where(a => !a.IsAsExpected)
            .GroupBy(a => $"{a.Outcome.Ending} {a.Outcome.Code} {a.Outcome.Cause}".Trim(), StringComparer.Ordinal)
            .OrderByDescending(g => g.Count()).Select(g => $"{g.Key}: {g.Count()}");
        return string.Create(CultureInfo.InvariantCulture, $"""
            {_trial.Struck.Count} faults, {_load.Attempts.Count} calls, {_done.Count} done, {_load.Revokes} revokes
            while all parts were up: {all} calls, {wrong.Count} went wrong ({100.0 * (all - wrong.Count)
                / Math.Max(1, all):0.000} % did not), {full} found no room
            {string.Join(", ", kinds)}
            {string.Join('\n', wrong.Take(20).Select(w => "wrong while all parts were up: " + w))}
            """);
    }

    private void Say(string what, object whom)
    {
        if (_broken.Count < 100)
        {
            _broken.Add($"{what}: {whom}");
        }
    }

    private void LookAtServers()
    {
        foreach (var (id, times) in _done)
        {
            if (times > 1)
            {
                Say($"done {times} times", id);
            }

            if (!_requested.Contains(id))
            {
                Say("done without a row", id);
            }
        }
    }

    private void LookAt(Attempt attempt)
    {
        var (wasDone, isRequested) = (_done.ContainsKey(attempt.Id), _requested.Contains(attempt.Id));
        if (attempt.IsForbidden && (wasDone || isRequested || attempt.Outcome.Ending == Ending.Done))
        {
            Say("admitted though it was forbidden, or revoked before it began", attempt);
        }

        switch (attempt.Outcome.Ending)
        {
            case Ending.Done when !isRequested || !wasDone:
                Say($"answered, {(isRequested ? "not done" : "without a row")}", attempt);
                break;
            case Ending.Denied when isRequested || wasDone:
                Say("denied, and admitted", attempt);
                break;
            case Ending.Failed:
                LookAtFailure(attempt, wasDone);
                break;
            case Ending.Odd:
                Say("what Weir never says", attempt);
                break;
            case Ending.SessionGone when wasDone || isRequested:
                Say("the session was unknown, and the call admitted", attempt);
                break;
            case Ending.Broken:
                LookAtBroken(attempt, isRequested);
                break;
        }

        if (attempt.Expects is { } expected && attempt.Outcome.Ending is Ending.Done or Ending.Denied && attempt.Outcome.Ending != expected)
        {
            Say($"expected {expected}", attempt);
        }
    }

    private void LookAtFailure(Attempt attempt, bool wasDone)
    {
        var outcome = attempt.Outcome;
        if (outcome.Text.Contains("broke the protocol", StringComparison.Ordinal))
        {
            Say("a fault of Weir's is called the server's", attempt);
        }

        if (outcome.IsRetryable == true && wasDone)
        {
            Say("may be retried, and was done", attempt);
        }
        else if (outcome.IsRetryable == false && outcome.Code is not ("WR012" or "WR013" or "WR015"))
        {
            Say("transient, and said to be final", attempt);
        }
    }

    private void LookAtBroken(Attempt attempt, bool isRequested)
    {
        var faults = _trial.Struck.Where(s => s.Fault.Replica == attempt.Replica && s.From <= attempt.To && s.To >= attempt.From).ToArray();
        if (faults.Length == 0)
        {
            Say("no answer, of a replica that ran", attempt);
        }
        else if (isRequested && faults.All(f => f.Fault.IsOrderly))
        {
            Say("admitted, and lost in an orderly stop", attempt);
        }
    }

    private void LookAtOutcomes()
    {
        foreach (var row in _requested.SelectMany(r => r))
        {
            if (!_completed.Contains((row.Id, row.At))
                && !_trial.Struck.Any(s => s.Fault.LosesOutcomes && row.At >= s.From - LongestCall && row.At <= s.To))
            {
                Say($"a request without an outcome, and no kill: {_load.Attempts.FirstOrDefault(a => a.Id == row.RequestId)}", row);
            }
        }
    }
}
