namespace Weir.Server.Http;

/// <summary>The one reading of <c>Authorization: Bearer …</c>, for agents' keys, people's tokens and nodes' keys alike.</summary>
internal static class Bearer
{
    private const string Scheme = "Bearer ";

    /// <summary>Null where there is none; also where there are two, because it is not ours to choose.</summary>
    public static string? Of(HttpRequest request) =>
        request.Headers.Authorization is [{ } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
        && header[Scheme.Length..].Trim() is { Length: > 0 } token ? token : null;
}
