namespace Weir.Chat.Aggregation;

/// <summary>
/// Who said something in a channel. A name is what somebody chose, so it never stands alone: what kind of sender it is and the end of
/// its id are the database's, and two who are called alike are still two.
/// </summary>
/// <param name="Kind"><c>person</c> or <c>agent</c>.</param>
/// <param name="Id">Null where that one is gone.</param>
internal sealed record Speaker(string Kind, Guid? Id, string? Name)
{
    private const int MaxName = 60;

    /// <summary>For the model: <c>person "Ann" (3f2a91bc)</c>.</summary>
    public string Label => Name is { Length: > 0 } name ? $"{Kind} \"{OutsideText.Label(name, MaxName)}\" ({Tail})" : $"{Kind} ({Tail})";

    /// <summary>For the provider, which takes few characters: <c>person-3f2a91bc</c>.</summary>
    public string Author => $"{Kind}-{Tail}";

    private string Tail => Id?.ToString("N")[^8..] ?? "gone";
}
