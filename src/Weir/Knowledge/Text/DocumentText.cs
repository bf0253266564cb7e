using Weir.Errors;

namespace Weir.Knowledge.Text;

/// <summary>A document's text, by its media type.</summary>
internal static class DocumentText
{
    public const string Plain = "text/plain";
    public const string Markdown = "text/markdown";
    public const string Html = "text/html";

    private const int MostChunks = 10_000;

    /// <summary>A text has next to no controls; something compressed or compiled is full of them.</summary>
    private const double MostControls = 0.02;
    private const int FewControls = 10;

    /// <exception cref="WeirException">WR001: this is no text, or there is none in it. WR014: too many pieces.</exception>
    public static IReadOnlyList<Chunk> Chunks(string mediaType, string content, int size, int overlap)
    {
        if (content.Count(c => c is '\uFFFD' or (< ' ' and not ('\t' or '\n' or '\r' or '\f')))
            > Math.Max(FewControls, MostControls * content.Length))
        {
            throw new WeirException(
                ErrorCode.InvalidArgument, "content is no text.", "PDF, office and compressed documents must be turned into text first.");
        }

        var sections = mediaType switch
        {
            Html => HtmlText.Read(content).Sections,
            Markdown => MarkdownText.Read(content),
            _ => [new Section("", content)],
        };
        // After the parsers: HTML may spell any character.
        var visible = sections.Select(s => new Section(VisibleText.Line(VisibleText.Of(s.Heading)), VisibleText.Of(s.Text).Trim()));
        var chunks = Chunker.Cut(visible, size, overlap).Take(MostChunks + 1).ToArray();
        return chunks.Length switch
        {
            0 => throw new WeirException(ErrorCode.InvalidArgument, "content has no text that a person would see."),
            > MostChunks => throw new WeirException(ErrorCode.TooLarge, $"content has more than {MostChunks} pieces: split the document."),
            _ => chunks,
        };
    }
}
