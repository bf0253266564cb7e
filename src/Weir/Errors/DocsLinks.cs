namespace Weir.Errors;

/// <summary>Adds the address of a page of the documentation, which Weir itself serves at <c>/docs/</c>, to an error's hint.</summary>
/// <param name="publicUrl">Without a slash at its end. Null: Weir does not know its own address, and hints have none.</param>
internal sealed class DocsLinks(string? publicUrl)
{
    /// <param name="hint">What the caller can do, or null.</param>
    /// <param name="page">The page and its heading, such as <c>rest#limits</c>; null where the documentation adds nothing.</param>
    public string? Hint(string? hint, string? page) => page is null || publicUrl is null ? hint
        : hint is null ? $"See {publicUrl}/docs/{page}"
        : $"{hint} See {publicUrl}/docs/{page}";
}
