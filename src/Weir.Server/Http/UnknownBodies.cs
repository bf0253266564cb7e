using Weir.Errors;
using Weir.Identity;
using Weir.Input;

namespace Weir.Server.Http;

/// <summary>
/// Bodies that are read before their sender is known: few at once of one network address and of one site, few of all together, and each within a time. An
/// address's place is free again when its request has been answered.
/// </summary>
internal sealed class UnknownBodies(TimeProvider time)
{
    public const int MostOfOneAddress = 32;
    public const int MostOfOneSite = 96;
    public const int Most = 512;
    public static readonly TimeSpan Within = TimeSpan.FromSeconds(10);

    private readonly Places _places = new(MostOfOneAddress, MostOfOneSite, Most);

    /// <summary>The whole body, or null where it is larger than <paramref name="maxBytes"/>.</summary>
    /// <exception cref="WeirException">WR008: too many are held already.</exception>
    /// <exception cref="BadHttpRequestException">It broke off, or did not come in time.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpContext http, int maxBytes)
    {
        http.Response.RegisterForDispose(_places.TryEnter(ClientAddress.Of(http), out var full) ?? throw new WeirException(ErrorCode.RateLimited, full switch
        {
            Places.Full.Address => $"{MostOfOneAddress} requests of callers who are not signed in are open from this address, the most that there may be.",
            Places.Full.Site => $"{MostOfOneSite} requests of callers who are not signed in are open from addresses like this one, the most that there may be.",
            _ => $"{Most} requests of callers who are not signed in are open, the most that there may be.",
        }, "Retry in a moment."));
        return await RequestBody.ReadAsync(http.Request, maxBytes, Within, time, http.RequestAborted);
    }
}
