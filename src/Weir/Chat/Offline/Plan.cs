using Weir.Chat.Tools;

namespace Weir.Chat.Offline;

/// <summary>A call that the plan wants made now.</summary>
internal sealed record PlannedCall(OfflineTool Tool, IReadOnlyDictionary<string, object?> Arguments);

/// <summary>A tool that fits but cannot be called.</summary>
internal sealed record Question(OfflineTool Tool, IReadOnlyList<MissingArgument> Missing);

/// <summary>
/// What the offline model does next, from nothing but the message, the tools it may call and the calls made so far: the same
/// input, the same plan.
/// </summary>
/// <param name="Calls">To be made now; empty: the turn is over.</param>
/// <param name="Targets">The tools that answer the message; other calls were only made to find their arguments.</param>
/// <param name="Questions">What the person must say.</param>
/// <param name="Losers">Tools of the same name that servers of lower priority have too, and that were not called.</param>
internal sealed record Plan(
    IReadOnlyList<PlannedCall> Calls, IReadOnlyList<OfflineTool> Targets, IReadOnlyList<Question> Questions,
    IReadOnlyList<OfflineTool> Losers)
{
    public const int MaxRounds = 3;

    /// <summary>Servers whose tools fit equally well are asked together, but no more than these.</summary>
    private const int MaxTargets = 3;

    public static Plan Make(string message, IReadOnlyList<OfflineTool> tools, IReadOnlyList<PastCall> past, int round)
    {
        var ranked = ToolMatch.Rank(message, tools);
        var (targets, losers) = Choose(ranked, past);
        List<PlannedCall> calls = [];
        List<Question> questions = [];
        foreach (var target in targets.Where(t => past.All(p => p.Name != t.Name)))
        {
            var results = past.Where(p => p.Output.Server == target.Server && p.Output.Outcome == ToolCallOutcomes.Ok)
                .Select(p => p.Output.Text).ToArray();
            var found = ArgumentFinder.Find(target, message, results);
            var helper = found is { IsComplete: true, Guessed: false } || round + 1 >= MaxRounds
                ? null : Helper(target, message, found, tools, past);
            if (helper is not null)
            {
                calls.Add(helper);
            }
            else if (found.IsComplete && round < MaxRounds)
            {
                calls.Add(new PlannedCall(target, found.Values));
            }
            else if (!found.IsComplete)
            {
                questions.Add(new Question(target, found.Missing));
            }
        }

        return new Plan([.. calls.DistinctBy(c => c.Tool.Name, StringComparer.Ordinal)], targets, questions, losers);
    }

    /// <summary>
    /// The best, and those of other servers that fit just as well. Of tools with one name the server of better priority wins;
    /// where its call came to nothing, the next one has its turn.
    /// </summary>
    private static (IReadOnlyList<OfflineTool> Targets, IReadOnlyList<OfflineTool> Losers) Choose(
        IReadOnlyList<ToolMatch> ranked, IReadOnlyList<PastCall> past)
    {
        if (ranked.Count == 0)
        {
            return ([], []);
        }

        List<OfflineTool> targets = [];
        List<OfflineTool> losers = [];
        foreach (var (tool, _, _) in ranked.TakeWhile(m => m.Score == ranked[0].Score && m.Precision.Equals(ranked[0].Precision)))
        {
            var sameName = targets.Where(t => string.Equals(t.Tool, tool.Tool, StringComparison.Ordinal)).ToArray();
            var hasAnswer = sameName.Any(t => !past.Any(p => p.Name == t.Name && !p.Output.IsAnswer));
            if (hasAnswer)
            {
                losers.Add(tool);
            }
            else if (sameName.Length > 0 || (targets.Count < MaxTargets && targets.All(t => t.Server != tool.Server)))
            {
                targets.Add(tool);
            }
        }

        return (targets, losers);
    }

    /// <summary>A tool of the same server that needs nothing and whose result may hold what is missing.</summary>
    private static PlannedCall? Helper(
        OfflineTool target, string message, FoundArguments found, IReadOnlyList<OfflineTool> tools, IReadOnlyList<PastCall> past)
    {
        // A path is below a directory, so a tool that speaks of directories speaks of paths.
        string[] wanted =
        [
            .. found.Missing.SelectMany(m => Words.Of(m.Parameter.Name)),
            .. found.Guessed || found.Missing.Any(m => Candidates.IsPath(m.Parameter)) ? ["path", "directory"] : Array.Empty<string>(),
        ];
        var about = Words.Of(target.Tool);
        return tools
            .Where(
            t =>
                t.Server == target.Server && t.Name != target.Name && past.All(p => p.Name != t.Name) && !t.Parameters.Any(p => p.Required))
            .Select(t => (Tool: t, Score: Fit(t, [.. wanted.Distinct(StringComparer.Ordinal)], about)))
            .Where(t => t.Score > 0)
            .OrderByDescending(t => t.Score)
            .Select(t => new PlannedCall(t.Tool, ArgumentFinder.Find(t.Tool, message, []).Values))
            .FirstOrDefault();
    }

    /// <summary>It must speak of what is wanted; that it speaks of the target's subject too makes it the better one.</summary>
    private static int Fit(OfflineTool tool, string[] wanted, IReadOnlyList<string> about)
    {
        var name = Words.Of(tool.Tool);
        var words = name.Concat(Words.Of(tool.Description)).ToHashSet(StringComparer.Ordinal);
        var speaks = wanted.Count(words.Contains);
        return speaks == 0
            ? 0 : (speaks * 4) + (about.Count(w => name.Contains(w, StringComparer.Ordinal)) * 2) + about.Count(words.Contains);
    }
}
