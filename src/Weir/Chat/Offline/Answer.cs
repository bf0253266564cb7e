using System.Globalization;
using System.Text;
using Weir.Chat.Tools;

namespace Weir.Chat.Offline;

/// <summary>The offline model's words about what was found. It says what it is, quotes, and adds nothing.</summary>
internal static class Answer
{
    public const string Introduction = "I am Weir's offline model: I match words to tools and quote what their servers say.";
    private const int MaxNamed = 12;

    /// <param name="others">How many tools the agent has that this model leaves alone.</param>
    public static string Write(Plan plan, IReadOnlyList<PastCall> past, IReadOnlyList<OfflineTool> tools, int others)
    {
        var text = new StringBuilder(Introduction).Append('\n');
        var targets = plan.Targets.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        // A call that only looked for an argument is worth a word where it is the last thing that is known.
        foreach (var call in past.Where(
            p => targets.Count == 0 || targets.Contains(p.Name) || plan.Questions.Any(q => q.Tool.Server == p.Output.Server)))
        {
            AppendCall(text, call);
        }

        foreach (var question in plan.Questions)
        {
            AppendQuestion(text, question);
        }

        foreach (var loser in plan.Losers)
        {
            text.Append(CultureInfo.InvariantCulture,
                $"\n`{loser.Server}` has a `{Quotes.Inline(loser.Tool)}` too; its priority is lower, so it was not asked.\n");
        }

        if (plan.Targets.Count == 0 && past.Count == 0)
        {
            AppendNothingFits(text, tools, others);
        }
        else if (targets.Count > 0 && plan.Questions.Count == 0 && !past.Any(p => targets.Contains(p.Name)))
        {
            text.Append("\nI may make three rounds of calls in a turn, and they were not enough for this.\n");
        }

        return text.ToString().TrimEnd('\n');
    }

    private static void AppendCall(StringBuilder text, PastCall call)
    {
        var output = call.Output;
        var tool = Quotes.Inline(output.Tool);
        text.Append('\n').Append(output.Outcome switch
        {
            ToolCallOutcomes.Ok => $"`{output.Server}` answered to `{tool}`:",
            ToolCallOutcomes.ToolError => $"`{output.Server}` answered to `{tool}` that it failed:",
            ToolCallOutcomes.Denied => $"`{tool}` of `{output.Server}` was not called: {output.Text}",
            _ => $"`{tool}` of `{output.Server}` gave no answer: {output.Text}",
        }).Append('\n');
        if (output.IsAnswer)
        {
            text.Append('\n').Append(output.Text.Length == 0 ? "> (nothing)" : Quotes.Of(output.Text)).Append('\n');
        }
    }

    private static void AppendQuestion(StringBuilder text, Question question)
    {
        var first = question.Missing[0];
        text.Append(CultureInfo.InvariantCulture,
            $"\nTo ask `{question.Tool.Server}` for `{Quotes.Inline(question.Tool.Tool)}` I need to know:\n\n");
        foreach (var (parameter, options) in question.Missing)
        {
            text.Append(CultureInfo.InvariantCulture, $"- `{Quotes.Inline(parameter.Name)}`");
            if (parameter.Description.Length > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $" (\"{Quotes.Inline(parameter.Description)}\")");
            }

            if (options.Count > 1)
            {
                text.Append(": one of ").AppendJoin(", ", options.Take(MaxNamed).Select(o => $"`{Quotes.Inline(o)}`"));
            }

            text.Append('\n');
        }

        text.Append(CultureInfo.InvariantCulture, $"\nSay it in your message, for example `{Quotes.Inline(first.Parameter.Name)}=…`.\n");
    }

    private static void AppendNothingFits(StringBuilder text, IReadOnlyList<OfflineTool> tools, int others)
    {
        if (tools.Count == 0)
        {
            text.Append("\nThere is no tool that I may call.");
        }
        else
        {
            text.Append("\nNo tool that I may call fits your message. I may call ")
                .AppendJoin(", ", tools.Take(MaxNamed).Select(t => $"`{Quotes.Inline(t.Tool)}` of `{t.Server}`"))
                .Append(tools.Count > MaxNamed ? $" and {tools.Count - MaxNamed} more." : ".");
        }

        text.Append(others > 0
            ? $" {others} other {(others == 1 ? "tool is" : "tools are")} not for me: "
                + "I call only what announces that it just reads and what an admin marked with `chat.offline`.\n"
            : "\n");
    }
}
