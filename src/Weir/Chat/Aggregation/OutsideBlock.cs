namespace Weir.Chat.Aggregation;

/// <summary>One item as it stands in the prompt: who says it, its lines marked, and where it ends.</summary>
internal sealed class OutsideBlock
{
    private const string Cut = "\n| … [cut]";

    /// <summary>What is left of an item must say something. Tokens.</summary>
    private const int Smallest = 16;

    private readonly string _header;
    private readonly string _body;
    private readonly string _footer;
    private readonly int _frame;
    private readonly int _before;
    private readonly TokenCounter _tokens;

    /// <param name="most">No block can have more; what is beyond is not even looked at. Tokens.</param>
    public OutsideBlock(ContextItem item, int most, TokenCounter tokens)
    {
        (Item, _tokens) = (item, tokens);
        var source = $"{item.Source.Kind} \"{OutsideText.Label(item.Source.Name)}\"";
        (_header, _footer) = ($"[{item.Kind} \"{OutsideText.Label(item.Key)}\" of {source}]\n", $"\n[end of {source}]");
        _frame = tokens.Count(_header) + tokens.Count(_footer) + tokens.Count(Cut);
        // A token of text is rarely longer than eight characters; a flood is cut before it is worked on.
        var length = (int)Math.Min(item.Text.Length, Math.Max(most, 0) * 8L);
        var text = length == item.Text.Length
            ? item.Text : item.Text[..(length > 0 && char.IsHighSurrogate(item.Text[length - 1]) ? length - 1 : length)];
        IsCutBefore = text.Length < item.Text.Length;
        _before = text.Length;
        _body = OutsideText.Quote(OutsideText.Clean(text));
        Demand = _frame + tokens.Count(_body, Math.Max(most, 0));
    }

    public ContextItem Item { get; }

    /// <summary>What the whole of it takes, its frame included. Tokens.</summary>
    public int Demand { get; }

    /// <summary>With less there is no use in it. Tokens.</summary>
    public int Least => Math.Min(Demand, _frame + Smallest);

    private bool IsCutBefore { get; }

    /// <summary>The block within its share; what had to be cut is told.</summary>
    public (string Text, TrimmedItem? Trimmed, int Tokens) Render(int share)
    {
        if (share >= Demand && !IsCutBefore)
        {
            return (_header + _body + _footer, null, Demand);
        }

        var fits = share >= Demand ? _body.Length : _tokens.Fit(_body, share - _frame);
        var kept = (int)((long)_before * fits / Math.Max(1, _body.Length));
        return (
            _header + OutsideText.Cut(_body, fits) + Cut + _footer, new TrimmedItem(Item, kept, Item.Text.Length), Math.Min(share, Demand));
    }
}
