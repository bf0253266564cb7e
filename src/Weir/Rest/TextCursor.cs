using System.Text;

namespace Weir.Rest;

/// <summary>A place in a text that moves forward only.</summary>
internal sealed class TextCursor(string text)
{
    public string Text => text;

    public int Position { get; private set; }

    public bool AtEnd => Position == text.Length;

    public bool StartsWith(string word) => string.CompareOrdinal(text, Position, word, 0, word.Length) == 0;

    public void Skip(int count) => Position += count;

    public void SkipSpaces()
    {
        while (!AtEnd && text[Position] is ' ' or '\t')
        {
            Position++;
        }
    }

    public bool Take(char c)
    {
        var isThere = !AtEnd && text[Position] == c;
        Position += isThere ? 1 : 0;
        return isThere;
    }

    /// <summary>What stands before the first of these characters, or before the end.</summary>
    public string Until(string ends)
    {
        var end = text.AsSpan(Position).IndexOfAny(ends);
        return To(end < 0 ? text.Length : Position + end);
    }

    /// <summary>The same, but what is quoted on the way is no end; the quotes stay.</summary>
    public string UntilUnquoted(string ends)
    {
        var start = Position;
        while (!AtEnd && !ends.Contains(text[Position]))
        {
            if (text[Position++] == '"')
            {
                Quoted();
            }
        }

        return text[start..Position];
    }

    public string Rest() => To(text.Length);

    /// <summary>Behind an opening quote: what is quoted, a backslash before what stands for itself. Null: it is not closed.</summary>
    public string? Quoted()
    {
        var quoted = new StringBuilder();
        while (!AtEnd)
        {
            var c = text[Position++];
            if (c == '"')
            {
                return quoted.ToString();
            }

            if (c == '\\' && !AtEnd)
            {
                c = text[Position++];
            }

            quoted.Append(c);
        }

        return null;
    }

    /// <summary>Before an opening brace: up to the one that closes it. Null: there is none.</summary>
    public string? Braces()
    {
        var depth = 0;
        var quoted = false;
        for (var i = Position; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\\' when quoted:
                    i++;
                    break;
                case '"':
                    quoted = !quoted;
                    break;
                case '{' when !quoted:
                    depth++;
                    break;
                case '}' when !quoted && --depth == 0:
                    return To(i + 1);
            }
        }

        return null;
    }

    private string To(int end)
    {
        var part = text[Position..end];
        Position = end;
        return part;
    }
}
