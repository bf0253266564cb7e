using Weir.Errors;
using Weir.Identity;

namespace Weir.Server.Http;

/// <summary>
/// Places for requests of callers who are not known: few at once of one network address and of one site, few of all together. A place is free again when its
/// request has been answered.
/// </summary>
internal class UnknownPlaces(int perAddress, int perSite, int most)
{
    private readonly Places _places = new(perAddress, perSite, most);

    /// <exception cref="WeirException">WR008: too many are open already.</exception>
    public void Enter(HttpContext http) =>
        http.Response.RegisterForDispose(_places.TryEnter(ClientAddress.Of(http), out var full) ?? throw new WeirException(ErrorCode.RateLimited, full switch
        {
            Places.Full.Address => $"{perAddress} requests of callers who are not signed in are open from this address, the most that there may be.",
            Places.Full.Site => $"{perSite} requests of callers who are not signed in are open from addresses like this one, the most that there may be.",
            _ => $"{most} requests of callers who are not signed in are open, the most that there may be.",
        }, "Retry in a moment."));
}
