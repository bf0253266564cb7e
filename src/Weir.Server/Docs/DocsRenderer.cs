using System.Net;
using Markdig;
using Markdig.Extensions.AutoIdentifiers;
using Markdig.Extensions.Tables;
using Markdig.Renderers.Html;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace Weir.Server.Docs;

/// <summary>
/// A Markdown file of the repository as a page. A link to a file that is a page too leads to that page; a link to any other file of the
/// repository is its text only, because the file is not served. HTML in the Markdown is text.
/// </summary>
/// <param name="addresses">The pages: where a file stands below <c>/docs/</c>, by its path in the repository.</param>
internal sealed class DocsRenderer(IReadOnlyDictionary<string, string> addresses)
{
    /// <summary>Only to resolve links with.</summary>
    private static readonly Uri Root = new("https://repository.invalid/");

    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder()
        .DisableHtml().UsePipeTables().UseAutoIdentifiers(AutoIdentifierOptions.GitHub).Build();

    public string Render(string source, string markdown)
    {
        var document = Markdown.Parse(markdown, Pipeline);
        var up = string.Concat(Enumerable.Repeat("../", addresses[source].Count(c => c == '/')));
        foreach (var link in document.Descendants<LinkInline>().ToArray())
        {
            Relink(link, source, up);
        }

        foreach (var table in document.Descendants<Table>())
        {
            AlignByClass(table);
        }

        return $"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <title>{WebUtility.HtmlEncode(TitleOf(document))} · Weir</title>
            <link rel="stylesheet" href="{up}style.css">
            </head>
            <body>
            <nav>{Navigation(up)}</nav>
            <main>
            {document.ToHtml(Pipeline)}</main>
            </body>
            </html>

            """;
    }

    /// <summary>All pages that stand directly below <c>/docs/</c>.</summary>
    private string Navigation(string up) => string.Join(' ', addresses.Values.Where(a => !a.Contains('/')).Order(StringComparer.Ordinal)
        .Select(a => $"<a href=\"{(a.Length == 0 ? HomeFrom(up) : up + a)}\">{(a.Length == 0 ? "Weir" : a)}</a>"));

    private static string HomeFrom(string up) => up.Length == 0 ? "./" : up;

    private static string TitleOf(MarkdownDocument document) =>
        document.Descendants<HeadingBlock>().FirstOrDefault()?.Inline is { } heading
            ? string.Concat(heading.Descendants().Select(inline => inline switch
            {
                LiteralInline text => text.Content.ToString(),
                CodeInline code => code.Content,
                _ => "",
            }))
            : "Documentation";

    private void Relink(LinkInline link, string source, string up)
    {
        if (link.IsImage)
        {
            Unlink(link);
            return;
        }

        if (link.Url is not { } url || url.StartsWith('#'))
        {
            return;
        }

        var target = new Uri(new Uri(Root, source), url);
        if (target.Host != Root.Host)
        {
            if (target.Scheme is not ("https" or "http"))
            {
                Unlink(link);
            }

            return;
        }

        if (!addresses.TryGetValue(Uri.UnescapeDataString(target.AbsolutePath).TrimStart('/'), out var address))
        {
            Unlink(link);
            return;
        }

        link.Url = (address.Length == 0 ? HomeFrom(up) : up + address) + target.Fragment;
    }

    /// <summary>Leaves the text in the link's place.</summary>
    private static void Unlink(LinkInline link)
    {
        link.MoveChildrenAfter(link);
        link.Remove();
    }

    /// <summary>The policy of the pages permits no style but the style sheet's, and Markdig aligns cells by attributes of style.</summary>
    private static void AlignByClass(Table table)
    {
        foreach (var row in table.OfType<TableRow>())
        {
            for (var i = 0; i < row.Count; i++)
            {
                if (i < table.ColumnDefinitions.Count
                    && table.ColumnDefinitions[i].Alignment is TableColumnAlign.Right or TableColumnAlign.Center)
                {
                    row[i].GetAttributes().AddClass(table.ColumnDefinitions[i].Alignment == TableColumnAlign.Right ? "right" : "center");
                }
            }
        }

        foreach (var column in table.ColumnDefinitions)
        {
            column.Alignment = null;
        }
    }
}
