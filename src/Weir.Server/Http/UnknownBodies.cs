using Weir.Errors;
using Weir.Input;

namespace Weir.Server.Http;

/// <summary>
/// Bodies that are read before their sender is known: few at once (<see cref="UnauthenticatedRequestLimiter"/>), and each within a time.
/// </summary>
internal sealed class UnknownBodies(TimeProvider time)
{
    public const int MostOfOneAddress = 32;
    public const int MostOfOneSite = 96;
    public const int Most = 512;
    public static readonly TimeSpan Within = TimeSpan.FromSeconds(10);

    private readonly UnauthenticatedRequestLimiter _permits = new(MostOfOneAddress, MostOfOneSite, Most);

    /// <summary>The whole body, or null where it is larger than <paramref name="maxBytes"/>.</summary>
    /// <exception cref="WeirException">WR008: too many are held already.</exception>
    /// <exception cref="BadHttpRequestException">It broke off, or did not come in time.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpContext http, int maxBytes)
    {
        _permits.Enter(http);
        return await RequestBody.ReadAsync(http.Request, maxBytes, Within, time, http.RequestAborted);
    }
}
