namespace Weir.Definitions;

/// <summary>Why an announced item is not listed, to nobody or to the clients of one era.</summary>
/// <param name="Kind">One of the constants below, as the database spells them.</param>
/// <param name="Path">The member that is wrong, as <c>inputSchema.properties</c>; null where the whole item is meant.</param>
/// <param name="Reason">A sentence for an admin.</param>
internal sealed record ItemFault(string Kind, string? Path, string Reason)
{
    /// <summary>It does not have the form that the protocol requires.</summary>
    public const string Malformed = "malformed";

    /// <summary>No client of Weir can use it.</summary>
    public const string Unsupported = "unsupported";

    private const int MaxPath = 200;

    /// <summary>A path may hold names that the server chose: it is cut, and shows what it hides.</summary>
    public static ItemFault OfMember(string path, string problem)
    {
        var shown = HiddenText.Show(path.Replace('\0', ' '));
        var cut = shown.Length <= MaxPath ? shown : shown[..MaxPath] + "…";
        var whole = string.Concat(cut.EnumerateRunes());
        return new ItemFault(Malformed, whole, $"{whole} {problem}.");
    }
}

/// <summary>The eras of clients, as the database spells them.</summary>
internal static class Eras
{
    public const string Legacy = "legacy";
    public const string Modern = "modern";

    public static string Of(bool modern) => modern ? Modern : Legacy;
}
