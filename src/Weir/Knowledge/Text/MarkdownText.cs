using System.Text;
using System.Text.RegularExpressions;
using Markdig;
using Markdig.Syntax;

namespace Weir.Knowledge.Text;

/// <summary>
/// Markdown stays as it is written; its headings become the context of what is below them. Comments and HTML are read as HTML.
/// </summary>
internal static partial class MarkdownText
{
    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder().UsePreciseSourceLocation().Build();

    public static IReadOnlyList<Section> Read(string content)
    {
        MarkdownDocument document;
        try
        {
            document = Markdown.Parse(content, Pipeline);
        }
        catch (ArgumentException)
        {
            // Nested deeper than the parser goes: it is text all the same.
            return [new Section("", content)];
        }

        var sections = new List<Section>();
        var path = new HeadingPath();
        var text = new StringBuilder();
        foreach (var block in document)
        {
            if (block is HeadingBlock heading)
            {
                Close();
                path.Enter(heading.Level, VisibleText.Line(Comment().Replace(Source(heading), "").Trim().Trim('#', '=', '-').Trim()));
            }
            else if (block is HtmlBlock)
            {
                text.Append(string.Join("\n\n", HtmlText.Read(Source(block)).Sections.Select(s => s.Text))).Append("\n\n");
            }
            else if (block is not LinkReferenceDefinitionGroup)
            {
                text.Append(Comment().Replace(Source(block), "")).Append("\n\n");
            }
        }

        Close();
        return sections;

        string Source(Block block) => content.Substring(block.Span.Start, Math.Min(block.Span.Length, content.Length - block.Span.Start));

        void Close()
        {
            if (text.ToString().Trim() is { Length: > 0 } body)
            {
                sections.Add(new Section(path.Text, body));
            }

            text.Clear();
        }
    }

    [GeneratedRegex("<!--.*?(-->|$)", RegexOptions.Singleline | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Comment();
}
