namespace Weir.Rest;

/// <summary>
/// What a key of an organization may call. What it reads is decided in SQL (<c>weir.read_with_key</c>); these are the names and arguments.
/// </summary>
internal static class KeyFunctions
{
    private static readonly PublishedColumn Organization = new("organization_id", "uuid");

    private static readonly PublishedFunction[] All =
    [
        Function("read_audit", Organization, new("filter", "jsonb"), new("before", "jsonb"), new("limit", "integer")),
        Function("read_servers", Organization),
        Function("read_usage", Organization, new("since", "timestamp with time zone"), new("until", "timestamp with time zone")),
    ];

    public static PublishedFunction? Find(string name) => Array.Find(All, f => f.Name == name);

    private static PublishedFunction Function(string name, params PublishedColumn[] arguments) =>
        new(name, arguments, Required: 0, ReturnsSet: false, "jsonb", Rows: null);
}
