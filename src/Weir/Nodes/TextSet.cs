using Weir.Errors;

namespace Weir.Nodes;

/// <summary>
/// Many texts that are looked for in one pass (Aho-Corasick): the time depends on the length of what is searched, not on how many texts
/// there are.
/// </summary>
/// <param name="mostCharacters">Of all texts together; each takes about 40 bytes.</param>
internal sealed class TextSet(int mostCharacters)
{
    private const int Root = 0;

    /// <summary>A node is a text, or the beginning of one; the key is a node and the character that follows.</summary>
    private readonly Dictionary<(int Node, char Next), int> _next = [];
    private readonly List<Node> _nodes = [new Node(Root, '\0', 0)];
    private int _characters;

    /// <param name="Found">The length of the longest text that ends here; 0: none.</param>
    /// <param name="Fallback">The longest beginning of a text that this one ends with.</param>
    private readonly record struct Node(int Parent, char Character, int Length, int Found = 0, int Fallback = Root);

    /// <summary>A part of what was searched.</summary>
    public readonly record struct Span(int Start, int End);

    /// <exception cref="WeirException">WR014: the texts have more characters than there may be.</exception>
    public void Add(string text)
    {
        if ((_characters += text.Length) > mostCharacters)
        {
            throw new WeirException(ErrorCode.TooLarge, $"The texts to look for have more than {mostCharacters} characters.");
        }

        var node = Root;
        foreach (var character in text)
        {
            if (!_next.TryGetValue((node, character), out var next))
            {
                next = _nodes.Count;
                _next.Add((node, character), next);
                _nodes.Add(new Node(node, character, _nodes[node].Length + 1));
            }

            node = next;
        }

        _nodes[node] = _nodes[node] with { Found = text.Length };
    }

    /// <summary>Call it once, after the last text.</summary>
    public void Link()
    {
        // The shorter first: a fallback is shorter than what falls back to it.
        foreach (var index in Enumerable.Range(1, _nodes.Count - 1).OrderBy(i => _nodes[i].Length))
        {
            var node = _nodes[index];
            var fallback = node.Parent == Root ? Root : Follow(_nodes[node.Parent].Fallback, node.Character);
            _nodes[index] = node with { Fallback = fallback, Found = node.Found > 0 ? node.Found : _nodes[fallback].Found };
        }
    }

    /// <summary>Where the texts are, in order; those that overlap as one.</summary>
    /// <param name="begun">How many of the last characters are the beginning of a text.</param>
    public IReadOnlyList<Span> Find(ReadOnlySpan<char> searched, out int begun)
    {
        var spans = new List<Span>();
        var node = Root;
        for (var i = 0; i < searched.Length; i++)
        {
            node = Follow(node, searched[i]);
            if (_nodes[node].Found is > 0 and var length)
            {
                var start = i + 1 - length;
                for (; spans.Count > 0 && spans[^1].End > start; spans.RemoveAt(spans.Count - 1))
                {
                    start = Math.Min(start, spans[^1].Start);
                }

                spans.Add(new Span(start, i + 1));
            }
        }

        begun = _nodes[node].Length;
        return spans;
    }

    private int Follow(int node, char character)
    {
        int next;
        while (!_next.TryGetValue((node, character), out next) && node != Root)
        {
            node = _nodes[node].Fallback;
        }

        return next;
    }
}
