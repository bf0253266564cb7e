namespace Weir.Knowledge.Text;

/// <summary>A run of a document's text under one heading. Paragraphs are separated by an empty line.</summary>
/// <param name="Heading">The headings above it, the outermost first, joined by <see cref="HeadingPath.Separator"/>; empty where there are
/// none.</param>
internal sealed record Section(string Heading, string Text);

/// <summary>A piece of a document that is found on its own.</summary>
internal sealed record Chunk(string Heading, string Text);

/// <summary>The headings above what is being read.</summary>
internal sealed class HeadingPath
{
    public const string Separator = " › ";

    private const int MaxHeading = 150;
    private const int MaxPath = 1000;

    private readonly List<(int Level, string Text)> _open = [];

    public string Text =>
        string.Join(Separator, _open.Select(h => h.Text)) is { Length: > MaxPath } path
            ? Cut(path, MaxPath) : string.Join(Separator, _open.Select(h => h.Text));

    /// <summary>A heading ends those of its level and below.</summary>
    public void Enter(int level, string text)
    {
        _open.RemoveAll(h => h.Level >= level);
        if (text.Length > 0)
        {
            _open.Add((level, Cut(text, MaxHeading)));
        }
    }

    private static string Cut(string text, int length) => text.Length <= length
        ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];
}
