// The commands that empty views name.

export const addEdge = (warehouse: string) => `smartpick-central edges add --warehouse ${warehouse} --name "north 1"`;
/** A token by which a box joins a site, or with an edge one that is that edge again. */
export const joinToken = (warehouse: string, edge?: string) => `smartpick-central sites token ${warehouse}${edge ? ` --edge ${edge}` : ''}`;
/** What is in an address may come from anybody; only this goes into a command. */
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
export const ADD_EDGE = addEdge('UUID');
export const ADD_ADMINISTRATOR = 'smartpick-central users add NAME --role administrator';
export const CHANGE_ROLE = (name: string, role: string) => `smartpick-central users role ${name} ${role}`;
export const SIMULATE = 'smartpick-edge simulate --cameras 12 --rate 50';
